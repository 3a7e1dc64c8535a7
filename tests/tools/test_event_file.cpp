#include <algorithm>
#include <cstring>

#include "tests/tools/small_runs.h"
#include "tools/run/event_file.h"

using namespace sagcl;

namespace {

/// The contents of the records; a failure of the test where a length or a checksum is wrong.
std::vector<std::string> records_of(const std::string& file) {
  const auto number = [&](std::size_t at, std::size_t bytes) {
    std::uint64_t value = 0;
    std::memcpy(&value, file.data() + at, bytes);
    return value;
  };
  const auto masked = [](std::uint32_t crc) { return std::uint32_t((crc >> 15 | crc << 17) + 0xa282ead8u); };
  std::vector<std::string> all;
  for (std::size_t at = 0; at + 16 <= file.size();) {
    const std::size_t length = number(at, 8);
    EXPECT_EQ(number(at + 8, 4), masked(tools::crc32c(file.substr(at, 8))));
    all.push_back(file.substr(at + 12, length));
    EXPECT_EQ(number(at + 12 + length, 4), masked(tools::crc32c(all.back())));
    at += 16 + length;
  }
  return all;
}

/// A message without the time of writing, which comes first: a key and eight bytes.
struct Told {
  explicit Told(const std::string& content) : rest(content.substr(9)) {
    EXPECT_EQ(content[0], char(1 << 3 | 1));
    if (rest[0] != char(2 << 3)) return;
    std::size_t at = 1;
    for (int shift = 0; shift == 0 || rest[at - 1] & 0x80; shift += 7) step |= std::int64_t(rest[at++] & 0x7f) << shift;
    rest = rest.substr(at);
  }
  bool starts() const { return rest == "\x3a\x02\x08\x01"; }  // session_log{status: START}
  std::int64_t step = 0;
  std::string rest;
};

/// What TensorBoard has of a folder in the end, in order of steps: of each record step and content, but not a step's
/// seconds, which stand last.
std::vector<std::string> remembered(const std::filesystem::path& run) {
  std::vector<Told> all;
  for (const auto& file : tools::event_files(run))
    for (const std::string& record : records_of(tests::content_of(file))) {
      const Told told(record);
      if (told.starts()) std::erase_if(all, [&](const Told& one) { return one.step >= told.step; });
      else if (told.rest.substr(0, 1) == "\x2a") all.push_back(told);  // a summary
    }
  std::vector<std::string> texts;
  for (const Told& one : all)
    texts.push_back(fmt::format("{:04} ", one.step) + one.rest.substr(0, one.rest.find("train/seconds")));
  std::sort(texts.begin(), texts.end());
  return texts;
}

class EventFile : public tests::SmallRuns {};

std::string metrics_line(std::int64_t step, double loss) {
  return fmt::format(R"({{"step":{},"phase":"train","loss":{},"terms":{{}}}})", step, loss);
}

}  // namespace

TEST(EventRecords, ChecksumAndBytes) {
  EXPECT_EQ(tools::crc32c("123456789"), 0xe3069283u);  // RFC 3720's check value
  const std::string record = tools::event_record("abc");
  EXPECT_EQ(record.size(), 19u);
  EXPECT_EQ(records_of(record), std::vector<std::string>{"abc"});
  std::int64_t last = 0;
  EXPECT_EQ(tools::event_records(R"({"step":3,"phase":"note","text":"x"})", 0, last), "");
  EXPECT_THROW(tools::event_records("{", 0, last), engine::DataError);
  // Event{wall_time: 0, step: 3, summary{value{tag: "dice/test/student", simple_value: 0.5}}}, by hand
  const std::string line = R"({"step":3,"phase":"test","network":"student","dice":0.5,"per_class":[0.5]})";
  const std::string event = records_of(tools::event_records(line, 0, last)).front();
  EXPECT_EQ(event, std::string("\x09\0\0\0\0\0\0\0\0\x10\x03\x2a\x1a\x0a\x18\x0a\x11"
                               "dice/test/student"
                               "\x15\0\0\0\x3f",
                               39));
}

TEST(EventFiles, StepsThatAreTakenAgainAreForgotten) {
  const auto look = [](double weight) {
    tools::EventSummary seen;
    seen.histogram("weights/a", std::vector<double>{weight});
    return seen;
  };
  tests::Scratch straight, winding;
  tools::EventFile expected;
  expected.begin(straight.path(), metrics_line(1, 10) + "\n" + metrics_line(2, 20) + "\n", 2);  // of a former version
  expected.look(2, look(2));
  expected.line(metrics_line(3, 30)), expected.look(3, look(3));

  {
    tools::EventFile first;
    first.begin(winding.path(), "", 0);
    first.line(metrics_line(1, 1)), first.line(metrics_line(2, 2)), first.look(2, look(9));
    first.line(metrics_line(1, 10)), first.line(metrics_line(2, 20));  // the run has begun again with other weights
    first.look(2, look(2)), first.line(metrics_line(3, 33)), first.look(3, look(33));
  }
  tools::EventFile second;  // goes on from step 2
  second.begin(winding.path(), metrics_line(1, 10) + "\n" + metrics_line(2, 20) + "\n", 2);
  second.look(2, look(2)), second.line(metrics_line(3, 30)), second.look(3, look(3));
  EXPECT_EQ(tools::event_files(winding.path()).size(), 2u);
  EXPECT_EQ(remembered(winding.path()), remembered(straight.path()));
  EXPECT_EQ(remembered(winding.path()).size(), 5u);
}

TEST_F(EventFile, SaysTheSameAfterAResume) {
  const std::vector<std::string> kind = {"--method", "mean-teacher", "--set", "debug.grads_every=2"};
  ASSERT_EQ(train("whole", kind).code, 0);
  const std::vector<std::string> whole = remembered(at("whole"));
  const auto looks = std::count_if(whole.begin(), whole.end(),
                                   [](const std::string& one) { return one.find("weights/") != std::string::npos; });
  EXPECT_EQ(looks, 4);
  EXPECT_GT(whole.size(), 16u);  // eight steps, four looks at gradients, four at weights and pictures, figures
  for (const char* steps : {"3", "1", "9"}) {
    std::vector<std::string> part = kind;
    part.insert(part.end(), {"--resume", "--stop-after", steps});
    ASSERT_EQ(train("parts", part).code, *steps == '9' ? 0 : 130);
  }
  EXPECT_EQ(tools::event_files(at("parts")).size(), 3u);
  EXPECT_EQ(remembered(at("parts")), whole);
}
