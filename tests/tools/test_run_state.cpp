#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/tools/tools_support.h"
#include "tools/run/run_lock.h"
#include "tools/run/run_state.h"

namespace sagcl::tests {
namespace {

TEST(RunState, MetricsAreKeptUpToTheCheckpoint) {
  const auto train = [](int step) { return fmt::format("{{\"step\":{},\"phase\":\"train\",\"loss\":1}}\n", step); };
  const auto other = [](int step, const char* phase) {
    return fmt::format("{{\"step\":{},\"phase\":\"{}\",\"dice\":1}}\n", step, phase);
  };
  const std::string first = train(1) + train(2) + other(2, "validation") + train(3);
  const std::string second =
      train(1) + other(1, "note") + train(2) + other(2, "validation") + train(3) + train(4) + other(4, "validation");
  EXPECT_EQ(tools::kept_metrics(first + second + "{\"step\":5,\"pha", 1, 3),
            first + train(1) + other(1, "note") + train(2) + other(2, "validation") + train(3));
  // the figures of the step itself are measured again
  EXPECT_EQ(tools::kept_metrics(first + second, 1, 4),
            first + second.substr(0, second.size() - other(4, "validation").size()));
  EXPECT_EQ(tools::kept_metrics(first + train(1) + train(2), 0, 2), train(1) + train(2));  // a restart that is done again
  EXPECT_EQ(tools::kept_metrics(first, 1, 0), first);
  EXPECT_EQ(tools::kept_metrics("rubbish\n" + first, 0, 1), train(1));
  EXPECT_EQ(tools::kept_metrics(first + other(9, "note"), 0, 1), train(1) + other(9, "note"));
  EXPECT_EQ(tools::kept_metrics("", 0, 5), "");
}

TEST(RunState, AFolderIsWhatItHolds) {
  Scratch folder;
  const auto state = [&] { return tools::state_of(folder.path()); };
  EXPECT_EQ(tools::state_of(folder / "absent"), tools::RunState::none);
  EXPECT_EQ(state(), tools::RunState::none);
  put(folder / "split.json", "{}");
  EXPECT_EQ(state(), tools::RunState::none);
  put(folder / "config.toml", "");
  EXPECT_EQ(state(), tools::RunState::begun);
  put(folder / "status.json", R"({"state":"failed","step":3})");  // at a NaN before there was a checkpoint
  EXPECT_EQ(state(), tools::RunState::begun);
  put(folder / "status.json", R"({"state":"running","step":3})");
  expect_error([&] { state(); }, {"status.json: says that step 3 was saved"});
  put(folder / "status.json", R"({"state":"running","step":0,"checkpoints":1})");  // a warm-up that was started again
  expect_error([&] { state(); }, {"status.json: says that step 0 was saved"});
  put(folder / "status.json", R"({"state":"failed","step":3,"checkpoints":0})");
  EXPECT_EQ(state(), tools::RunState::begun);
  put(folder / "checkpoints/step-0000003.safetensors", "");
  EXPECT_EQ(state(), tools::RunState::saved);
  put(folder / "status.json", R"({"state":"finished","step":9})");
  EXPECT_EQ(state(), tools::RunState::finished);
  put(folder / "status.json", "[]");
  expect_error([&] { state(); }, {"status.json", "remove it"});
  fs::remove(folder / "config.toml");
  expect_error([&] { state(); }, {"holds checkpoints but no config.toml"});
}

/// What another process meets that wants the lock: 0, or the text of InUse on the pipe and 1.
int elsewhere(const fs::path& folder, std::string* text = nullptr) {
  int ends[2];
  if (::pipe(ends) != 0) return -1;
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      tools::RunLock lock(folder);
      ::_exit(0);
    } catch (const engine::InUse& e) {
      const std::string what = e.what();
      ::_exit(::write(ends[1], what.data(), what.size()) > 0 ? 1 : 2);
    }
  }
  ::close(ends[1]);
  char buffer[2000];
  const ssize_t n = ::read(ends[0], buffer, sizeof buffer);
  ::close(ends[0]);
  if (text) *text = std::string(buffer, n > 0 ? std::size_t(n) : 0);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(RunLock, OneProcessHasAFolderAndTheOtherIsToldWhich) {
  Scratch folder;
  const fs::path run = folder / "deep/down/run";
  {
    tools::RunLock lock(run);
    EXPECT_TRUE(fs::exists(run / "lock"));
    std::string told;
    EXPECT_EQ(elsewhere(run, &told), 1);
    EXPECT_TRUE(contains(told, fmt::format("run is in use: process {} on ", ::getpid())));
    EXPECT_TRUE(contains(told, "kill -TERM"));
  }
  EXPECT_FALSE(fs::exists(folder / "deep"));  // made for the lock alone
  fs::create_directories(run);
  { tools::RunLock lock(run); }
  EXPECT_TRUE(fs::exists(run));
  EXPECT_EQ(elsewhere(run), 0);  // leaves the file, as a process that was killed
  EXPECT_TRUE(fs::exists(run / "lock"));
  EXPECT_EQ(elsewhere(run), 0);
}

TEST(RunLock, AChildDoesNotKeepItWhenItsParentIsKilled) {
  Scratch folder;
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    tools::RunLock lock(folder.path());
    const pid_t child = ::fork();
    if (child == 0) {
      ::sleep(60);
      ::_exit(0);
    }
    ::_exit(::write(ends[1], &child, sizeof child) == sizeof child ? 0 : 1);  // without the destructor
  }
  pid_t child = 0;
  ASSERT_EQ(::read(ends[0], &child, sizeof child), ssize_t(sizeof child));
  ::waitpid(parent, nullptr, 0);
  EXPECT_EQ(elsewhere(folder.path()), 0);
  ::kill(child, SIGKILL);
  ::close(ends[0]), ::close(ends[1]);
}

TEST(RunLock, AFolderThatCannotBeMadeIsAnIoError) {
  Scratch folder;
  put(folder / "file", "");
  EXPECT_THROW(tools::RunLock(folder / "file/run"), engine::IoError);
}

}  // namespace
}  // namespace sagcl::tests
