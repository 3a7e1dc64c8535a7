#include "tests/tools/tools_support.h"
#include "tools/programs/json_text.h"
#include "tools/run/config.h"

namespace sagcl::tests {
namespace {

using semiagcl::RunSettings;

RunSettings after(const std::string& assignment) {
  RunSettings s;
  tools::apply_assignment(s, assignment);
  return s;
}

TEST(Config, ListsAreUnderstoodAsTypedAndAsPrinted) {
  const std::vector<std::int64_t> patch = {16, 32, 48};
  for (const char* text : {"16,32,48", "16, 32, 48", "[16,32,48]", "[16, 32, 48]", " [ 16 , 32 , 48 ] "})
    EXPECT_EQ(after(std::string("train.patch=") + text).train.patch, patch) << text;
  const std::vector<std::string> axes = {"D", "W"};
  for (const char* text : {"D,W", "D, W", "[D,W]", "[\"D\",\"W\"]", "[\"D\", \"W\"]", "['D', 'W']"})
    EXPECT_EQ(after(std::string("augment.flip=") + text).augment.flip, axes) << text;
  for (const char* text : {"", "[]", "[ ]"})
    EXPECT_TRUE(after(std::string("evaluation.stride=") + text).evaluation.stride.empty()) << text;
  EXPECT_EQ(after("data.labeled=[a, \"b\"]").data.labeled, "a,b");
  expect_error<engine::UsageError>([] { after("train.patch=[16,16,16"); }, {"train.patch = '[16,16,16'", "16,16,16"});
  expect_error<engine::UsageError>([] { after("train.patch=[16,x,16]"); }, {"train.patch = 'x'", "whole number"});
}

TEST(Config, EveryPresetHoldsSettingsThatAreAllowed) {
  const std::vector<std::string> names = tools::preset_names();
  EXPECT_GT(names.size(), 5u);
  for (const std::string& name : names) {
    RunSettings s;
    const std::filesystem::path file = tools::preset_file(name);
    tools::apply_toml(s, content_of(file), file.string());
    EXPECT_NO_THROW(tools::check(s)) << name;
  }
}

TEST(Config, EveryPrintedSettingCanBeTypedBack) {
  RunSettings s;
  s.expectation = "says \"more\", or \\ less\n[next]";
  s.data.folder = "/a b/c'd";
  s.augment.flip = {};
  s.evaluation.stride = {18, 18, 4};
  const std::string printed = tools::to_toml(s);
  RunSettings back;
  std::string section;
  for (std::size_t begin = 0, end; begin < printed.size(); begin = end + 1) {
    end = printed.find('\n', begin);
    const std::string line = printed.substr(begin, end - begin);
    const std::size_t equals = line.find(" = ");
    if (line.starts_with("[")) section = line.substr(1, line.size() - 2) + ".";
    else if (equals != std::string::npos)
      tools::apply_assignment(back, section + line.substr(0, equals) + "=" + line.substr(equals + 3));
  }
  EXPECT_EQ(tools::differences(s, back), "");
  RunSettings read;
  tools::apply_toml(read, printed, "printed");
  EXPECT_EQ(tools::differences(s, read), "");
}

TEST(Config, OnlyWhatTrainsNothingMayChange) {
  RunSettings run, now;
  now.evaluation.stride = {1, 2, 3}, now.evaluation.every = 7, now.data.folder = "/elsewhere", now.train.replay = true,
  now.expectation = "x";
  EXPECT_EQ(tools::differences(tools::with_what_may_change(run, now), now), "");
  now.train.batch = 6;
  EXPECT_EQ(tools::differences(tools::with_what_may_change(run, now), now), "train.batch: 4 | 6\n");
}

TEST(Config, JsonTakesAnyBytes) {
  EXPECT_EQ(tools::json_text(nlohmann::json{{"reason", "caf\xe9: full"}}), "{\"reason\":\"caf\xef\xbf\xbd: full\"}");
}

}  // namespace
}  // namespace sagcl::tests
