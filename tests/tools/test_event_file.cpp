#include <cstring>

#include "tests/tools/small_runs.h"

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

class EventFile : public tests::SmallRuns {
 protected:
  /// Without the times of writing, which come first: a key and eight bytes. Nor a step's seconds, which stand last.
  std::vector<std::string> events(const std::string& name) const {
    std::vector<std::string> all = records_of(tests::content_of(at(name) / tools::event_file_name));
    for (std::string& one : all) {
      EXPECT_EQ(one[0], char(1 << 3 | 1));
      one = one.substr(9, one.find("train/seconds") - 9);
    }
    return all;
  }
};

}  // namespace

TEST(EventRecords, ChecksumAndBytes) {
  EXPECT_EQ(tools::crc32c("123456789"), 0xe3069283u);  // RFC 3720's check value
  const std::string record = tools::event_record("abc");
  EXPECT_EQ(record.size(), 19u);
  EXPECT_EQ(records_of(record), std::vector<std::string>{"abc"});
  EXPECT_EQ(tools::event_records(R"({"step":3,"phase":"note","text":"x"})", 0), "");
  EXPECT_THROW(tools::event_records("{", 0), engine::DataError);
  // Event{wall_time: 0, step: 3, summary{value{tag: "dice/test/student", simple_value: 0.5}}}, by hand
  const std::string event =
      records_of(tools::event_records(R"({"step":3,"phase":"test","network":"student","dice":0.5,"per_class":[0.5]})", 0))
          .front();
  EXPECT_EQ(event, std::string("\x09\0\0\0\0\0\0\0\0\x10\x03\x2a\x1a\x0a\x18\x0a\x11"
                               "dice/test/student"
                               "\x15\0\0\0\x3f",
                               39));
}

TEST_F(EventFile, SaysTheSameAfterAResume) {
  ASSERT_EQ(train("whole", {"--method", "mean-teacher", "--set", "debug.grads_every=2"}).code, 0);
  const std::vector<std::string> whole = events("whole");
  EXPECT_GT(whole.size(), 12u);  // eight steps, four looks at gradients, figures
  ASSERT_EQ(train("parts", {"--method", "mean-teacher", "--set", "debug.grads_every=2", "--stop-after", "3"}).code, 130);
  ASSERT_EQ(
      tests::run("sagcl-train", {"--resume", "--out", at("parts"), "--device", "cpu", "--threads", "1", "--no-report"}).code,
      0);
  EXPECT_EQ(events("parts"), whole);
}
