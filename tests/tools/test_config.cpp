#include <algorithm>
#include <cctype>
#include <sstream>

#include "semiagcl/baselines/registry.h"
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
  EXPECT_EQ(after("data.labelled=[a, \"b\"]").data.labelled, "a,b");
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

TEST(Config, AGridOfNothingIsRefused) {
  const RunSettings s = after("method.patch_grid=0x2x2");
  expect_error<engine::UsageError>([&] { tools::check(s); }, {"patch_grid"});
}

TEST(Config, AugmentationsThatThereAreNotAreRefused) {
  EXPECT_NO_THROW(tools::check(after("augment.turn=180")));
  for (const char* wrong : {"augment.turn=-1", "augment.turn=181", "augment.turn=nan", "augment.scale=0.8",
                            "augment.scale=inf", "augment.elastic=0.21", "augment.elastic=-0.1", "augment.place_share=1.5",
                            "augment.foreground=-0.1", "data.spacing=1,1", "data.spacing=1,1,-1", "augment.strong=none"}) {
    const std::string text = wrong;
    expect_error<engine::UsageError>([&] { tools::check(after(text)); }, {text.substr(0, text.find('=')), "choose"});
  }
}

TEST(Config, FormerNamesAreUnderstoodAndNoted) {
  RunSettings s;
  const auto changed =
      tools::apply_toml(s, "[data]\nlabeled = \"8\"\nlabeled_pick = \"spread\"\n[train]\noptimizer = \"sgd\"\n", "old.toml");
  EXPECT_EQ(changed, (std::vector<std::string>{"data.labelled", "data.labelled_pick", "train.optimiser"}));
  EXPECT_EQ(s.data.labelled, "8");
  EXPECT_EQ(s.data.labelled_pick, "spread");
  EXPECT_EQ(s.train.optimiser, "sgd");
  EXPECT_EQ(tools::apply_assignment(s, "data.labeled=3"), "data.labelled");
  EXPECT_EQ(s.data.labelled, "3");
  EXPECT_NE(tools::to_toml(s).find("# formerly optimizer:\noptimiser = \"sgd\"\n"), std::string::npos);
}

TEST(Config, FormerValuesAreUnderstood) {
  EXPECT_EQ(after("augment.strong_labelled=false").augment.strong_labelled, 0);
  EXPECT_EQ(after("augment.copy_paste=true").augment.copy_paste, "always");
  EXPECT_EQ(after("augment.copy_paste=warm_up").augment.copy_paste, "warm_up");
  RunSettings s;
  tools::apply_toml(s, "[augment]\ncopy_paste = true\n", "old.toml");
  EXPECT_EQ(s.augment.copy_paste, "always");
  tools::apply_toml(s, "[augment]\ncopy_paste = false\n", "old.toml");
  EXPECT_EQ(s.augment.copy_paste, "never");
  s.augment.copy_paste = "sometimes";
  expect_error<engine::UsageError>([&] { tools::check(s); },
                                   {"augment.copy_paste = 'sometimes'", "never, warm_up or always"});
}

TEST(Config, OnlyWhatTrainsNothingMayChange) {
  RunSettings run, now;
  now.evaluation.stride = {1, 2, 3}, now.evaluation.every = 7, now.data.folder = "/elsewhere", now.train.replay = true,
  now.expectation = "x";
  now.train.recompute = "never";
  EXPECT_EQ(tools::differences(tools::with_what_may_change(run, now), now), "");
  now.train.storage = run.train.storage = "bf16";  // then it changes bits
  EXPECT_EQ(tools::differences(tools::with_what_may_change(run, now), now), "train.recompute: \"auto\" | \"never\"\n");
  now = tools::with_what_may_change(run, now);
  now.train.batch = 6;
  EXPECT_EQ(tools::differences(tools::with_what_may_change(run, now), now), "train.batch: 4 | 6\n");
}

TEST(Config, EveryMethodListsSettingsThatThereAre) {
  std::vector<std::string> keys = {"method.preset"};
  const RunSettings s;
  semiagcl::for_each_run_setting(s, [&](const char* key, const auto&) { keys.push_back(key); });
  semiagcl::for_each_setting(s.method, [&](const char* key, const auto&) { keys.push_back(std::string("method.") + key); });
  for (const auto& method : semiagcl::training_methods())
    for (const std::string& read : method.reads)
      EXPECT_TRUE(
          std::any_of(keys.begin(), keys.end(),
                      [&](const std::string& key) { return read.ends_with('.') ? key.starts_with(read) : key == read; }))
          << method.name << ": " << read;
}

TEST(Config, WhatTheMethodDoesNotReadIsTold) {
  const auto warning = [](const std::string& method, const std::vector<std::string>& keys) {
    RunSettings s;
    s.train.method = method;
    return tools::warning_of_unread(s, keys);
  };
  EXPECT_EQ(warning("supervised", {"train.steps", "mix.box", "mix.box"}),
            "warning: mix.box is not read by method supervised");
  EXPECT_EQ(warning("bcp", {"method.w_pl", "mix.box", "method.ema_decay", "augment.colour"}),
            "warning: method.w_pl, method.ema_decay are not read by method bcp");
  EXPECT_EQ(warning("mean-teacher", {"method.w_reg", "method.min_target"}),
            "warning: method.min_target is not read by method mean-teacher");
  EXPECT_EQ(warning("ua-mt", {"method.w_reg", "method.teacher_dropout", "train.unlabelled"}), "");
  EXPECT_EQ(warning("semi-agcl", {"method.w_pl", "method.preset", "mix.box"}),
            "warning: mix.box is not read by method semi-agcl");
  RunSettings pasted;
  pasted.train.method = "supervised", pasted.augment.copy_paste = "always";
  EXPECT_EQ(tools::warning_of_unread(pasted, {"mix.box"}), "");
  RunSettings masked;
  masked.train.method = "semi-agcl", masked.method.mask = true;
  EXPECT_EQ(tools::warning_of_unread(masked, {"mix.box", "mix.largest_component", "method.w_reg"}), "");
  EXPECT_EQ(tools::warning_of_unread(masked, {"method.consistency", "mix.unlabelled_weight"}),
            "warning: method.consistency, mix.unlabelled_weight are not read by method semi-agcl");
  for (const char* method : {"supervised", "mean-teacher", "ua-mt", "bcp", "semi-agcl"})
    EXPECT_EQ(warning(method, {"method.warm_up_share", "train.learning_rate", "evaluation.every"}), "") << method;
  expect_error<engine::UsageError>([&] { warning("semi-agc", {"mix.box"}); }, {"unknown method 'semi-agc'", "semi-agcl"});
}

TEST(Config, EverySettingIsExplained) {
  RunSettings s;
  s.method = semiagcl::mixed();
  const std::string plain = tools::to_toml(s), explained = tools::to_toml(s, true);
  RunSettings again;
  tools::apply_toml(again, explained, "explained");
  EXPECT_EQ(tools::to_toml(again), plain);
  std::istringstream lines(explained);
  std::string before, section;
  for (std::string line; std::getline(lines, line); before = line) {
    EXPECT_LE(line.size(), 130U) << line;
    if (line.starts_with("[")) section = line;
    if (line.empty() || !std::isalpha(static_cast<unsigned char>(line[0]))) continue;
    EXPECT_TRUE(before.starts_with("# ")) << section << " " << line << " is not explained beside it in semiagcl/settings";
  }
  EXPECT_NE(explained.find("# of Eq. 2; none leaves L_PL out (Table IV) (l2, l1, none)\nkernel = \"l2\"\n"),
            std::string::npos);
  s.train.method = "supervised";
  EXPECT_NE(tools::to_toml(s, true).find("(not read by supervised)\nbox = "), std::string::npos);
}

TEST(Config, AFileOrAFlagIsTheUsersChoiceAndAPresetIsNot) {
  Scratch folder;
  put(folder / "mine.toml", "[method]\nw_pl = 2\ntau = 0.2\n[mix]\nbox = 0.5\n");  // tau has its default
  const auto told = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--preset", "glands", "--print-config", "--method", "supervised"});
    const Outcome outcome = run("sagcl-train", arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.err;
  };
  EXPECT_EQ(told({}), "");
  EXPECT_EQ(told({"--set", "train.steps=10"}), "");
  EXPECT_EQ(told({"--config", (folder / "mine.toml").string(), "--set", "method.n_hard=8"}),
            "warning: method.w_pl, mix.box, method.n_hard are not read by method supervised\n");
}

TEST(Config, PatchesAreForMethodsThatCutThem) {
  RunSettings s;
  s.network.name = "unet", s.train.patch = {1, 32, 32}, s.train.method = "supervised";
  EXPECT_NO_THROW(tools::check(s));
  s.train.method = "semi-agcl";
  expect_error<engine::UsageError>([&] { tools::check(s); }, {"2 patches do not divide an extent of 1"});
}

TEST(Config, JsonTakesAnyBytes) {
  EXPECT_EQ(tools::json_text(nlohmann::json{{"reason", "caf\xe9: full"}}), "{\"reason\":\"caf\xef\xbf\xbd: full\"}");
}

}  // namespace
}  // namespace sagcl::tests
