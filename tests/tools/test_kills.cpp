// One command line, killed with SIGKILL at random moments and started again until it ends by itself, leaves the same bytes
// as the run that nobody killed. SAGCL_KILLS says how many kills.
#include <signal.h>

#include <algorithm>
#include <random>

#include "semiagcl/baselines/registry.h"
#include "tests/tools/small_runs.h"
#include "tools/run/run_state.h"

namespace sagcl::tests {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

class Kills : public SmallRuns {
 protected:
  /// Runs the command for so long at most. The exit code, or -1 if it was killed.
  int start(const std::string& name, std::vector<std::string> more, double seconds) const {
    more.push_back("--resume");
    const pid_t child = spawn(arguments(name, more));
    const auto begin = Clock::now();
    int status = 0;
    while (::waitpid(child, &status, WNOHANG) == 0) {
      if (seconds_since(begin) > seconds) ::kill(child, SIGKILL), seconds = 1e9;
      ::usleep(500);
    }
    return WIFSIGNALED(status) ? -1 : WEXITSTATUS(status);
  }
};

TEST_F(Kills, AnyNumberOfThemLeavesTheBytesOfTheRunThatWasLeftAlone) {
  const char* wanted = std::getenv("SAGCL_KILLS");
  const int kills = wanted ? std::atoi(wanted) : 8;
  std::vector<std::vector<std::string>> kinds = {{}, {"--set", "train.restarts=2"}};  // warm-ups that start again
  if (kills >= 100)                                                                   // in a campaign every method
    for (const auto& method : semiagcl::training_methods()) kinds.push_back({"--method", method.name});
  std::mt19937 random(11);
  std::uniform_real_distribution<double> share(0, 1);
  int done = 0, without_checkpoint = 0, runs = 0;
  for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
    const std::string whole = fmt::format("whole-{}", kind);
    auto begin = Clock::now();
    ASSERT_EQ(start(whole, kinds[kind], 1e9), 0) << content_of(at("log"));
    double duration = seconds_since(begin);
    for (const int until = int(std::size_t(kills) * (kind + 1) / kinds.size()); done < until; ++runs) {
      const std::string name = fmt::format("run-{}", runs);
      const int before = done;
      for (int code = -1; code == -1;) {
        // the first kill of all at once, those of the next runs one after the other over the whole duration, others anywhere
        const double moment = done == 0 ? 0 : done == before ? (done % 4 + share(random)) / 4 : share(random);
        begin = Clock::now();
        const bool again = done < until &&
                           (done == before || runs % 2 == 0);  // every second run is killed once, others any number of times
        code = start(name, kinds[kind], again ? moment * duration : 1e9);
        if (code == -1) ++done, without_checkpoint += tools::checkpoint_files(at(name)).empty();
        else ASSERT_EQ(code, 0) << content_of(at("log"));
      }
      if (done == before) duration = std::min(duration, seconds_since(begin));  // the machine has become quicker
      expect_same(whole, name);
      ASSERT_EQ(start(name, kinds[kind], 1e9), 0);  // and once more, as a scheduler might
      EXPECT_TRUE(contains(content_of(at("log")), "nothing to do"));
      expect_same(whole, name);
      if (HasFailure()) return;
    }
  }
  fmt::print("{} kills of {} runs, {} of them before the first checkpoint\n", done, runs, without_checkpoint);
  EXPECT_GT(without_checkpoint, 0);
}

}  // namespace
}  // namespace sagcl::tests
