// Training in several processes, started by mpirun as a user would: however many share the shards, the run ends in the same
// bytes; one that fails ends all.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <thread>

#include "engine/files/read_file.h"
#include "engine/files/safetensors.h"
#include "tests/tools/tools_support.h"
#include "tools/run/run_state.h"

namespace sagcl::tests {
namespace {

class Processes : public testing::Test {
 protected:
  void SetUp() override {
    if (std::string(SAGCL_MPIEXEC).empty()) GTEST_SKIP() << "built without MPI";
    ASSERT_EQ(shell(mpirun(2) + "/bin/true"), 0) << "mpirun cannot start processes on this machine: " << errors();
  }

  /// What mpirun needs in a container: no ssh, more processes than cores, none bound to a core, perhaps the administrator.
  static std::string mpirun(int processes) {
    return fmt::format(
        "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 "
        "OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_plm_rsh_agent=/bin/true "
        "PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe "  // Open MPI 5's words for the same
        "PRTE_MCA_hwloc_default_binding_policy=none PRTE_MCA_plm_ssh_agent=/bin/true "
        "OMPI_MCA_btl_vader_single_copy_mechanism=none "  // containers forbid reading another process
        "ASAN_OPTIONS=detect_leaks=0 "                    // MPI keeps some memory to the end
        "exec {} -np {} ",
        SAGCL_MPIEXEC, processes);
  }
  static std::string program() { return std::string(SAGCL_BINARY_DIR) + "/bin/sagcl-train"; }

  /// Six steps of a V-Net of width 2 in four shards of real MRI: three of warm-up and three of the method.
  std::string start(const std::string& run, const std::string& method) const {
    return program() + " --preset hippocampus --data " SAGCL_SOURCE_DIR "/data/hippocampus --device cpu --threads 1" +
           " --no-report --out " + (folder_ / run).string() + " --method " + method + " --labeled 4 --set data.test=1" +
           " --set network.width=2 --set train.steps=6 --set train.batch=8 --set train.shards=4 --set train.patch=32,32,32" +
           " --set train.compare_every=2 --set train.restarts=0 --set evaluation.checkpoint_every=2" +
           " --set method.projection_hidden=8 --set method.projection_dim=8 --set method.bank_size=32" +
           " --set method.min_negatives=2 --set method.top_n_share=0.5 --set method.min_confidence=0 ";
  }
  std::string resume(const std::string& run) const {
    return program() + " --resume --no-report --device cpu --threads 1 --out " + (folder_ / run).string();
  }

  int shell(const std::string& line) const {
    const std::string out = (folder_ / "out").string(), err = (folder_ / "err").string();
    const int status = std::system((line + " > " + out + " 2> " + err + " < /dev/null").c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  std::string errors() const { return content_of(folder_ / "err"); }
  std::string final_state(const std::string& run) const {
    return engine::read_file(folder_ / run / "checkpoints/step-0000006.safetensors");
  }

  Scratch folder_;
};

TEST_F(Processes, AnyNumberGivesTheSameBits) {
  for (const char* method : {"supervised", "mean-teacher", "semi-agcl"}) {
    const std::string one = std::string("one-") + method;
    ASSERT_EQ(shell(start(one, method)), 0) << errors();
    for (int n : {2, 4}) {
      const std::string several = fmt::format("{}-{}", n, method);
      ASSERT_EQ(shell(mpirun(n) + start(several, method)), 0) << errors();
      EXPECT_TRUE(final_state(one) == final_state(several)) << several;
      EXPECT_EQ(content_of(folder_ / one / "evaluation.json"), content_of(folder_ / several / "evaluation.json"));
    }
    EXPECT_TRUE(contains(errors(), "shards   4 of 2 samples, 4 processes"));
    const std::string said = errors();
    EXPECT_EQ(said.find("network "), said.rfind("network ")) << said;  // told once
  }
}

TEST_F(Processes, AnotherNumberResumes) {
  ASSERT_EQ(shell(start("whole", "semi-agcl")), 0) << errors();
  ASSERT_EQ(shell(mpirun(4) + start("parts", "semi-agcl") + "--stop-after 2"), 130) << errors();
  ASSERT_EQ(shell(mpirun(2) + resume("parts") + " --stop-after 3"), 130) << errors();
  ASSERT_EQ(shell(resume("parts")), 0) << errors();
  EXPECT_TRUE(final_state("whole") == final_state("parts"));
}

TEST_F(Processes, OneJobAtATimeAndOneCommandLineForAll) {
  const std::string line = start("run", "supervised") + "--resume ";
  const std::string endless =
      "OMPI_MCA_odls_base_sigkill_timeout=5 " + mpirun(2) + line + "--set train.steps=1000000 > /dev/null 2> /dev/null";
  const pid_t first = ::fork();
  if (first == 0) {
    ::execl("/bin/sh", "sh", "-c", endless.c_str(), nullptr);
    ::_exit(127);
  }
  for (int i = 0; i < 60000 && !std::filesystem::exists(folder_ / "run/checkpoints/step-0000002.safetensors"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(shell(mpirun(2) + line), 75) << errors();
  EXPECT_TRUE(contains(errors(), "run is in use: process "));
  ::kill(first, SIGTERM);
  ::waitpid(first, nullptr, 0);
  std::filesystem::remove_all(folder_ / "run");
  ASSERT_EQ(shell(mpirun(2) + start("whole", "supervised")), 0) << errors();
  for (const int n : {2, 4, 2, 1}) {
    const int code = shell((n > 1 ? mpirun(n) : "") + line + "--stop-after 2");
    EXPECT_TRUE(code == 130 || code == 0) << errors();
  }
  EXPECT_TRUE(final_state("whole") == final_state("run"));
  EXPECT_TRUE(contains(errors(), "nothing to do"));
}

TEST_F(Processes, OneThatFailsEndsAllWithItsMessageAndCode) {
  EXPECT_EQ(shell(mpirun(2) + start("x", "supervised") + "--set train.learning_rat=1"), 2) << errors();
  EXPECT_TRUE(contains(errors(), "process 0 of 2: --set unknown key train.learning_rat (did you mean"));
  EXPECT_EQ(shell(mpirun(3) + start("x", "supervised")), 2) << errors();
  EXPECT_TRUE(contains(errors(), "3 processes cannot share train.shards = 4"));
  // the second process alone does not find the data
  const std::string one_of_two =
      "sh -c 'if [ ${OMPI_COMM_WORLD_RANK:-$PMI_RANK} = 1 ]; then "
      "exec \"$@\" --set data.folder=/nowhere/at/all; fi; exec \"$@\"' sh ";
  EXPECT_EQ(shell(mpirun(2) + one_of_two + start("y", "supervised")), 66) << errors();
  EXPECT_TRUE(contains(errors(), "process 1 of 2: --data /nowhere/at/all"));
  EXPECT_EQ(shell(mpirun(2) + start("nan", "supervised") + "--set train.learning_rate=1e36"), 76) << errors();
  EXPECT_TRUE(contains(errors(), "not finite"));
  EXPECT_TRUE(contains(content_of(folder_ / "nan/status.json"), "failed"));
}

TEST_F(Processes, WithoutThePluginTheyAreToldSo) {
  std::filesystem::copy_file(program(), folder_ / "sagcl-train");
  EXPECT_EQ(shell("OMPI_COMM_WORLD_SIZE=2 " + (folder_ / "sagcl-train").string() + " --list-presets"), 2);
  EXPECT_TRUE(contains(errors(),
                       "several processes were started together, which needs MPI: built without it, or "
                       "libsagcl_mpi.so was moved"));
  EXPECT_EQ(shell("ASAN_OPTIONS=detect_leaks=0 OMPI_COMM_WORLD_SIZE=2 " + program() + " --list-presets"), 2);
  EXPECT_TRUE(contains(errors(), "2 processes were started, but MPI sees 1"));
}

/// SIGUSR1 is passed on alone. With SIGTERM mpirun ends its processes too; Open MPI 5 no longer passes on what they say and
/// gives them a quarter of a second, which may be too short to save: then the checkpoints before it are there.
TEST_F(Processes, ASignalSavesOnceAndAllLeave) {
  for (const int signal : {SIGUSR1, SIGTERM}) {
    const std::string name = signal == SIGUSR1 ? "asked" : "ended";
    const std::string line = "OMPI_MCA_odls_base_sigkill_timeout=5 " + mpirun(2) + start(name, "supervised") +
                             "--set train.steps=100000 > /dev/null 2> " + (folder_ / "err").string();
    const pid_t child = ::fork();
    if (child == 0) {
      ::execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
      ::_exit(127);
    }
    for (int i = 0; i < 60000 && !std::filesystem::exists(folder_ / name / "checkpoints/step-0000002.safetensors"); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ::kill(child, signal);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) != 0) << status;
    const std::string state = content_of(folder_ / name / "status.json"), said = errors();
    const std::filesystem::path newest = tools::checkpoint_files(folder_ / name).front();
    EXPECT_FALSE(engine::read_safetensors(newest).tensors.empty());
    if (signal == SIGTERM && state.find("running") != std::string::npos) continue;
    EXPECT_TRUE(contains(state, "interrupted"));
    const std::string saved = newest.stem().string();  // step-0000017
    EXPECT_TRUE(contains(state, fmt::format("\"step\": {},", std::stoll(saved.substr(5)))));
    EXPECT_EQ(said.find("stopped at step"), said.rfind("stopped at step"));
    if (signal == SIGTERM) continue;
    EXPECT_EQ(WEXITSTATUS(status), 130);
    EXPECT_TRUE(contains(said, "stopped at step"));
  }
}

}  // namespace
}  // namespace sagcl::tests
