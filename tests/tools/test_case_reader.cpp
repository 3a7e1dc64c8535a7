// Data larger than memory: wherever the training cases lie, and however many threads prepare batches, the run is the same.
#include <gtest/gtest.h>

#include "engine/files/safetensors.h"
#include "tests/support/golden.h"
#include "tests/tools/small_runs.h"
#include "tools/run/run_state.h"

namespace sagcl::tests {
namespace {

/// Short ones, with crops at foreground.
class LargerThanMemory : public SmallRuns {
 protected:
  LargerThanMemory() { set_ = {"--set", "augment.foreground=0.5", "--set", "train.steps=4"}; }

  Outcome train(const std::string& name, const std::vector<std::string>& set) const {
    std::vector<std::string> words = arguments(name, set_);
    for (const std::string& assignment : set) words.insert(words.end(), {"--set", assignment});
    return run("sagcl-train", words, "XDG_CACHE_HOME=" + at("home").string());
  }
  void expect_same_weights(const std::string& a, const std::string& b) const {
    const auto state = [&](const std::string& name) {
      return engine::read_safetensors(tools::checkpoint_files(at(name)).front()).tensors;
    };
    const auto x = state(a), y = state(b);
    ASSERT_EQ(x.size(), y.size());
    for (const auto& [name, tensor] : x) EXPECT_TRUE(identical(tensor, y.at(name))) << name;
  }
  std::map<std::string, fs::file_time_type> entries(const std::string& folder) const {
    std::map<std::string, fs::file_time_type> all;
    for (const auto& entry : fs::directory_iterator(at(folder)))
      all[entry.path().filename().string()] = entry.last_write_time();
    return all;
  }

  std::vector<std::string> set_;
};

TEST_F(LargerThanMemory, ARunIsTheSameWhereverItsCasesLie) {
  const Outcome memory = train("memory", {});
  ASSERT_EQ(memory.code, 0) << memory.err;
  EXPECT_FALSE(fs::exists(at("home")));
  EXPECT_TRUE(contains(memory.err, "of the steps' time for batches"));
  const Outcome never = train("never", {"data.cache=never", "data.memory=1e-9", "data.workers=3"});
  ASSERT_EQ(never.code, 0) << never.err;
  expect_same_weights("memory", "never");

  // A case takes 32 x 32 x 5 bytes with its label: two are in memory, the other four of the six on disk.
  const Outcome part = train("part", {"data.memory=1e-5"});
  ASSERT_EQ(part.code, 0) << part.err;
  EXPECT_TRUE(contains(part.err, "2 of 6 in memory (data.memory), the others in " + at("home/sagcl").string()));
  expect_same_weights("memory", "part");
  EXPECT_EQ(entries("home/sagcl").size(), 4u);

  const Outcome disk = train("disk", {"data.cache=" + at("cache").string()});
  ASSERT_EQ(disk.code, 0) << disk.err;
  expect_same_weights("memory", "disk");
  const auto made = entries("cache");
  EXPECT_EQ(made.size(), 6u);
  const Outcome again = train("again", {"data.cache=" + at("cache").string(), "data.workers=2"});
  ASSERT_EQ(again.code, 0) << again.err;
  expect_same_weights("memory", "again");
  EXPECT_EQ(entries("cache"), made);  // nothing was made again
}

TEST_F(LargerThanMemory, WhereTheCasesLieMayChangeWhenARunGoesOn) {
  ASSERT_EQ(train("whole", {}).code, 0);
  std::vector<std::string> half = arguments("halves", set_);
  half.insert(half.end(), {"--stop-after", "2"});
  run("sagcl-train", half);
  const Outcome rest = run("sagcl-train", {"--resume", "--no-report", "--out", at("halves"), "--set",
                                           "data.cache=" + at("cache").string(), "--set", "data.workers=2"});
  ASSERT_EQ(rest.code, 0) << rest.err;
  EXPECT_TRUE(contains(rest.err, "data.cache"));
  expect_same_weights("whole", "halves");
}

TEST_F(LargerThanMemory, ADamagedCaseIsSaidAndMadeAgain) {
  ASSERT_EQ(train("first", {"data.cache=" + at("cache").string()}).code, 0);
  const fs::path entry = at("cache") / entries("cache").begin()->first;
  std::string bytes = content_of(entry);
  bytes[bytes.size() - 100] ^= 4;
  fs::remove(entry), put(entry, bytes);
  const Outcome second = train("second", {"data.cache=" + at("cache").string()});
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_TRUE(contains(second.err, "warning: " + entry.string() + ": its voxels do not fit its hash; it was made again"));
  expect_same_weights("first", "second");
}

TEST_F(LargerThanMemory, WhatCannotBeIsRefused) {
  Outcome o = train("a", {"data.memory=-1"});
  EXPECT_EQ(o.code, 2);
  EXPECT_TRUE(contains(o.err, "data.memory = -1"));
  o = train("a", {"data.workers=-2"});
  EXPECT_EQ(o.code, 2);
  EXPECT_TRUE(contains(o.err, "data.workers = -2"));
  put(at("file"), "");
  o = train("a", {"data.cache=" + at("file").string()});
  EXPECT_EQ(o.code, 74);
  EXPECT_TRUE(contains(o.err, at("file").string() + ": cannot be made a folder of prepared cases"));
  o = run("sagcl-train", arguments("a", {"--set", "data.memory=1e-9"}), "env -u XDG_CACHE_HOME -u HOME");
  EXPECT_EQ(o.code, 2);
  EXPECT_TRUE(contains(o.err, "--set data.cache=FOLDER says where"));
  EXPECT_FALSE(fs::exists(at("a")));
}

}  // namespace
}  // namespace sagcl::tests
