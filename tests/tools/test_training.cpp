// sagcl-train as people meet it: a run killed in the middle and resumed is, bit for bit, the run that was left alone; so is
// a run on another number of threads; errors have their exit codes and leave the last checkpoint.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "engine/files/read_file.h"
#include "engine/files/safetensors.h"
#include "layers/weights.h"
#include "tools/evaluate/trained_network.h"

namespace sagcl::tests {
namespace {

using std::filesystem::path;

const path data_folder = path(SAGCL_SOURCE_DIR) / "data/hippocampus";

class Training : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "sagcl-training-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  /// The command line of a small run: 8 steps of a V-Net of width 2, checkpoint every 2.
  std::string command(const std::string& run, const std::string& extra = "", const std::string& method = "semi-agcl") const {
    return (path(SAGCL_BINARY_DIR) / "bin/sagcl-train").string() + " --preset hippocampus --data " + data_folder.string() +
           " --out " + (folder_ / run).string() + " --method " + method + " --no-report --labeled 2" +
           " --set train.steps=8 --set network.width=2 --set evaluation.checkpoint_every=2 --set data.test=1 --set "
           "train.batch=2" +
           " --set train.patch=32,32,32 --set method.projection_hidden=8 --set method.projection_dim=8 --set "
           "method.bank_size=32" +
           " --set method.min_negatives=2 --set method.top_n_share=0.5 --set method.min_confidence=0 --set "
           "train.restarts=0 " +
           extra;
  }
  int shell(const std::string& line) const {
    const int status =
        std::system((line + " > " + (folder_ / "out").string() + " 2> " + (folder_ / "err").string()).c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  std::string errors() const { return engine::read_file(folder_ / "err"); }
  std::string final_state(const std::string& run) const {
    return engine::read_file(folder_ / run / "checkpoints/step-0000008.safetensors");
  }

  /// Starts the run, waits for a file of it, sends the signal and returns how it ended.
  int interrupt(const std::string& run, const std::string& awaited, int signal) const {
    const std::string line = "exec " + command(run, "--threads 1") + " > /dev/null 2> /dev/null";
    const pid_t child = ::fork();
    if (child == 0) {
      ::execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
      ::_exit(127);
    }
    for (int i = 0; i < 20000 && !std::filesystem::exists(folder_ / run / awaited); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ::kill(child, signal);
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  path folder_;
};

TEST_F(Training, twice_and_on_any_threads_gives_the_same_bits) {
  ASSERT_EQ(shell(command("a", "--threads 1")), 0) << errors();
  ASSERT_EQ(shell(command("b", "--threads 1")), 0) << errors();
  ASSERT_EQ(shell(command("c", "--threads 2")), 0) << errors();
  EXPECT_TRUE(final_state("a") == final_state("b"));
  EXPECT_TRUE(final_state("a") == final_state("c"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "a/evaluation.json"));
}

TEST_F(Training, killed_and_resumed_is_the_run_that_was_left_alone) {
  ASSERT_EQ(shell(command("whole", "--threads 1")), 0) << errors();
  interrupt("killed", "checkpoints/step-0000004.safetensors", SIGKILL);
  const std::string resume = (path(SAGCL_BINARY_DIR) / "bin/sagcl-train").string() + " --resume --no-report --out ";
  if (!std::filesystem::exists(folder_ / "killed/checkpoints/step-0000008.safetensors")) {
    ASSERT_EQ(shell(resume + (folder_ / "killed").string()), 0) << errors();
  }
  EXPECT_TRUE(final_state("whole") == final_state("killed"));
}

TEST_F(Training, every_method_resumes_bit_for_bit) {
  for (const char* method : {"supervised", "mean-teacher", "ua-mt", "semi-agcl"}) {
    const std::string whole = std::string("whole-") + method, parts = std::string("parts-") + method;
    ASSERT_EQ(shell(command(whole, "", method)), 0) << errors();
    ASSERT_EQ(shell(command(parts, "--stop-after 3", method)), 130) << errors();  // in the warm-up
    const std::string resume =
        (path(SAGCL_BINARY_DIR) / "bin/sagcl-train").string() + " --resume --no-report --out " + (folder_ / parts).string();
    ASSERT_EQ(shell(resume + " --stop-after 3"), 130) << errors();  // in the method's steps
    ASSERT_EQ(shell(resume), 0) << errors();
    EXPECT_TRUE(final_state(whole) == final_state(parts)) << method;
  }
}

TEST_F(Training, unlabelled_images_stand_in_for_half_of_the_batch_or_beside_it) {
  EXPECT_EQ(shell(command("half", "--set train.batch=1", "mean-teacher")), 2);
  EXPECT_NE(errors().find("train.unlabelled=beside"), std::string::npos) << errors();
  EXPECT_EQ(shell(command("beside", "--set train.batch=1 --set train.unlabelled=beside", "mean-teacher")), 0) << errors();
}

TEST_F(Training, a_signal_saves_and_leaves_with_its_code) {
  const int code = interrupt("asked", "checkpoints/step-0000002.safetensors", SIGTERM);
  EXPECT_TRUE(code == 143 || code == 0) << code;  // 0 if it was quicker than the signal
  EXPECT_FALSE(std::filesystem::is_empty(folder_ / "asked/checkpoints"));
}

TEST_F(Training, a_loss_that_is_not_finite_stops_with_the_operation_and_keeps_the_checkpoint) {
  EXPECT_EQ(shell(command("nan", "--set train.learning_rate=1e36 --set method.warm_up_share=0")), 76);
  EXPECT_NE(errors().find("operation "), std::string::npos) << errors();
  EXPECT_NE(errors().find("not finite"), std::string::npos) << errors();
  EXPECT_NE(engine::read_file(folder_ / "nan/status.json").find("failed"), std::string::npos);
}

TEST_F(Training, a_full_disk_is_an_error_that_names_the_file) {
  EXPECT_EQ(shell("trap '' XFSZ; ulimit -f 40; " + command("full")), 74) << errors();
  EXPECT_NE(errors().find("full/"), std::string::npos) << errors();
}

TEST_F(Training, mistakes_are_explained) {
  EXPECT_EQ(shell(command("x", "--set train.learning_rat=1")), 2);
  EXPECT_NE(errors().find("did you mean train.learning_rate"), std::string::npos) << errors();
  EXPECT_EQ(shell(command("x", "", "semi-agc")), 2);
  EXPECT_NE(errors().find("semi-agcl"), std::string::npos) << errors();
  EXPECT_EQ(shell(command("x", "--config /nowhere.toml")), 66);
  const std::string program = (path(SAGCL_BINARY_DIR) / "bin/sagcl-train").string();
  EXPECT_EQ(shell(program + " --preset hippocampus --data /nowhere/at/all --out " + (folder_ / "x").string()), 66);
  EXPECT_EQ(shell(command("x", "--set method.patch_grid=4x4x4")), 2);
  EXPECT_NE(errors().find("16"), std::string::npos) << errors();
  EXPECT_EQ(shell(command("x", "--device cuda:99")), 69) << errors();
  EXPECT_EQ(shell(command("x", "--precision fp16")), 2);
  EXPECT_NE(errors().find("choose auto, fp32, tf32 or bf16"), std::string::npos) << errors();
  EXPECT_EQ(shell(command("x", "--device cpu --precision tf32")), 2);
  EXPECT_NE(errors().find("CPU arithmetic is fp32"), std::string::npos) << errors();
  ASSERT_EQ(shell(command("y", "", "supervised")), 0) << errors();
  EXPECT_EQ(shell(command("y", "", "supervised")), 2);
  EXPECT_NE(errors().find("--resume"), std::string::npos) << errors();
  EXPECT_EQ(shell(command("y", "--resume --seed 5", "supervised")), 2);
  EXPECT_NE(errors().find("train.seed"), std::string::npos) << errors();
  EXPECT_EQ(shell(command("y", "--resume --set train.replay=true", "supervised")), 2);  // may change, but not on a CPU
  EXPECT_NE(errors().find("records work for a GPU"), std::string::npos) << errors();
}

TEST_F(Training, starts_from_the_weights_of_a_run_or_of_pytorch) {
  ASSERT_EQ(shell(command("first", "", "supervised")), 0) << errors();
  const path checkpoint = folder_ / "first/checkpoints/step-0000008.safetensors", torch = folder_ / "torch.safetensors";
  engine::write_safetensors(torch, layers::to_pytorch(*tools::load_network(checkpoint, "student").network));
  const engine::TensorFile before = engine::read_safetensors(checkpoint);
  for (const path& file : {checkpoint, torch, folder_ / "first"}) {  // 8 steps that are too short to move a weight
    const std::string run = "from-" + file.stem().string();
    ASSERT_EQ(shell(command(run, "--set train.learning_rate=1e-30 --weights " + file.string(), "supervised")), 0)
        << errors();
    const path read = file.has_extension() ? file : checkpoint;
    EXPECT_NE(errors().find("weights  " + read.string()), std::string::npos) << errors();
    const engine::TensorFile after = engine::parse_safetensors(final_state(run), run);
    for (const char* name : {"student/block1.0.conv.w", "student/up5.conv.w", "student/head.b"})
      EXPECT_EQ(after.tensors.at(name).to_vector<float>(), before.tensors.at(name).to_vector<float>())
          << file << " " << name;
  }
  EXPECT_EQ(shell(command("x", "--set network.width=4 --weights " + checkpoint.string())), 65);
  EXPECT_NE(errors().find("student/head.w is f32"), std::string::npos) << errors();
  EXPECT_EQ(shell(command("x", "--weights /nowhere.safetensors")), 66);
  EXPECT_NE(errors().find("--weights"), std::string::npos) << errors();
}

/// A V-Net that halves D twice takes crops of 12 planes, and its checkpoint knows it: masks, ONNX, resume.
TEST_F(Training, without_test_cases_the_last_network_is_validated) {
  ASSERT_EQ(shell(command("v", "--set data.test=0 --set data.validation=1", "supervised")), 0) << errors();
  EXPECT_NE(errors().find("validation Dice of the student 0."), std::string::npos) << errors();
  EXPECT_NE(engine::read_file(folder_ / "v/metrics.jsonl").find("\"validation\""), std::string::npos);
}

TEST_F(Training, an_axis_may_be_halved_less) {
  const std::string thin = "--set network.halvings=[2,4,4] --set train.patch=12,32,32 --set method.embedding=patch ";
  ASSERT_EQ(shell(command("run", thin + "--stop-after 6")), 130) << errors();
  ASSERT_EQ(shell(command("run", thin + "--resume")), 0) << errors();
  ASSERT_EQ(shell(command("whole", thin)), 0) << errors();
  EXPECT_TRUE(final_state("run") == final_state("whole"));
  const auto trained = tools::load_network(folder_ / "run/checkpoints/step-0000008.safetensors", "student");
  EXPECT_EQ(trained.network->stride(), (engine::Extents{{4, 16, 16}}));
  const std::string bin = (path(SAGCL_BINARY_DIR) / "bin/").string(), run = (folder_ / "run").string();
  EXPECT_EQ(shell(bin + "sagcl-export onnx " + run + " --out " + (folder_ / "m.onnx").string()), 0) << errors();
  EXPECT_NE(errors().find("extents divisible by 4x16x16"), std::string::npos) << errors();
  EXPECT_EQ(shell(bin + "sagcl-predict --device cpu --checkpoint " + run + " --input " +
                  (data_folder / "imagesTr/hippocampus_001.nii.gz").string() + " --output " + (folder_ / "masks").string()),
            0)
      << errors();
  EXPECT_EQ(shell(command("x", "--set network.halvings=[2,4,4] --set train.patch=18,32,32")), 2);
  EXPECT_NE(errors().find("18 is not a multiple of 4, and the network halves it 2 times"), std::string::npos) << errors();
  EXPECT_EQ(shell(command("x", "--set network.halvings=[5,4,4]")), 2);
  EXPECT_NE(errors().find("network.halvings = [5, 4, 4]: how many"), std::string::npos) << errors();
}

TEST_F(Training, the_precision_is_recorded_and_stays) {
  ASSERT_EQ(shell(command("run", "--device cpu --precision fp32", "supervised")), 0) << errors();
  EXPECT_NE(engine::read_file(folder_ / "run/config.toml").find("precision = \"fp32\""), std::string::npos);
  EXPECT_NE(engine::read_file(folder_ / "run/env.json").find("\"precision\": \"fp32\""), std::string::npos);
  EXPECT_EQ(shell(command("run", "--resume --precision bf16", "supervised")), 2);
  EXPECT_NE(errors().find("train.precision: \"fp32\" | \"bf16\""), std::string::npos) << errors();
}

TEST_F(Training, files_beside_the_checkpoints_are_left_alone) {
  ASSERT_EQ(shell(command("kept", "--stop-after 4 ")), 130) << errors();
  const path folder = folder_ / "kept/checkpoints", own = folder / "student-best.safetensors";
  std::filesystem::copy_file(folder / "step-0000002.safetensors", own);
  ASSERT_EQ(shell(command("kept", "--resume")), 0) << errors();
  EXPECT_NE(errors().find("step-0000004.safetensors at step 4"), std::string::npos) << errors();
  EXPECT_TRUE(std::filesystem::exists(own));
}

TEST_F(Training, a_broken_newest_checkpoint_gives_way_to_the_one_before) {
  ASSERT_EQ(shell(command("parts", "--stop-after 5")), 130) << errors();
  const path newest = folder_ / "parts/checkpoints/step-0000005.safetensors";
  ASSERT_TRUE(std::filesystem::exists(newest));
  std::filesystem::resize_file(newest, 1000);
  const std::string resume =
      (path(SAGCL_BINARY_DIR) / "bin/sagcl-train").string() + " --resume --no-report --out " + (folder_ / "parts").string();
  EXPECT_EQ(shell(resume), 0) << errors();
  EXPECT_NE(errors().find("warning"), std::string::npos) << errors();
  ASSERT_EQ(shell(command("whole")), 0) << errors();
  EXPECT_TRUE(final_state("whole") == final_state("parts"));
}

}  // namespace
}  // namespace sagcl::tests
