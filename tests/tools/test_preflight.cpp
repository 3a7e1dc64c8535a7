// What a run needs at its end is looked at before its first step.
#include <algorithm>

#include "datasets/formats/nifti.h"
#include "tests/tools/small_runs.h"
#include "tools/run/preflight.h"

namespace sagcl::tests {
namespace {

class Preflight : public SmallRuns {
 protected:
  /// Refused with this code before anything was trained or written.
  void refused(const Outcome& outcome, int code, std::initializer_list<std::string> parts) const {
    EXPECT_EQ(outcome.code, code) << outcome.err;
    for (const std::string& part : parts) EXPECT_TRUE(contains(outcome.err, part));
    EXPECT_EQ(outcome.err.find("train "), std::string::npos) << outcome.err;
    EXPECT_FALSE(fs::exists(at("run")));
  }
  /// Writes another label, made of the old one by f(values).
  template <class F>
  void change_label(const std::string& part, int number, F&& f) const {
    const fs::path file = at("data") / part / fmt::format("phantom_{:03}.nii.gz", number);
    const datasets::Image old = datasets::read_nifti(file);
    Tensor label = old.voxels.to(engine::Dtype::u8).reshape({1, 32, 32});
    f(label.data<std::uint8_t>());
    datasets::write_nifti(file, label, old.geometry);
  }
};

TEST_F(Preflight, HeldOutCasesAreReadFirst) {
  change_label("labelsTs", 8, [](std::uint8_t* label) { label[0] = 9; });
  refused(train("run"), 65, {"labelsTs/phantom_008.nii.gz", "9 (1 times)"});
  refused(train("run", {"--dry-run"}), 65, {"labelsTs/phantom_008.nii.gz"});
  change_label("labelsTr", 3, [](std::uint8_t* label) { label[5] = 7; });  // the validation case
  fs::resize_file(at("data/imagesTs/phantom_007.nii.gz"), 300);
  refused(train("run"), 65,
          {"3 held-out cases cannot be used", "validation case phantom_003: ", "labelsTr/phantom_003.nii.gz",
           "test case phantom_007: ", "imagesTs/phantom_007.nii.gz", "test case phantom_008: ", "9 (1 times)"});
}

TEST_F(Preflight, ClassesThatNobodyCanLearnOrMeasureAreNamed) {
  EXPECT_EQ(train("all").err.find("warning"), std::string::npos);
  const auto without_second = [](std::uint8_t* label) {
    std::replace(label, label + 32 * 32, std::uint8_t(2), std::uint8_t(1));
  };
  for (int i = 0; i < 3; ++i) change_label("labelsTr", i, without_second);
  change_label("labelsTs", 7, without_second);
  const Outcome unlearnt = train("unlearnt");
  EXPECT_EQ(unlearnt.code, 0) << unlearnt.err;
  EXPECT_TRUE(contains(unlearnt.err, "warning: no labelled case holds class 2 (part 2): it cannot be learnt"));
  EXPECT_EQ(unlearnt.err.find("no test case"), std::string::npos) << unlearnt.err;  // 8 has it
  change_label("labelsTs", 8, without_second);
  change_label("labelsTr", 3, without_second);
  const Outcome unmeasured = train("unmeasured");
  EXPECT_TRUE(contains(unmeasured.err, "no test case holds class 2 (part 2)"));
  EXPECT_TRUE(contains(unmeasured.err, "no validation case holds class 2 (part 2)"));
  EXPECT_TRUE(
      contains(train("no-validation", {"--set", "data.validation=0"}).err, "evaluation.every = 2, but no validation cases"));
}

TEST_F(Preflight, WindowsMustLeaveNoGaps) {
  refused(train("run", {"--set", "evaluation.stride=1,64,16"}), 2,
          {"evaluation.stride = [1, 64, 16]: with windows of train.patch = [1, 32, 32], 64 must lie in 1 to 32",
           "--set evaluation.stride=1,16,16"});
  refused(train("run", {"--set", "evaluation.stride=0,16,16"}), 2, {"0 must lie in 1 to 1"});
  EXPECT_EQ(train("run", {"--set", "evaluation.stride=1,16,16"}).code, 0);
}

TEST_F(Preflight, AWindowSmallerThanACaseIsTried) {
  const Outcome outcome =
      train("run", {"--method", "supervised", "--set", "train.patch=1,16,16", "--set", "evaluation.stride=1,8,8"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(datasets::read_nifti(at("run/predictions/phantom_007.nii.gz")).voxels.shape(), (engine::Shape{1, 32, 32, 1}));
}

TEST_F(Preflight, ACheckpointOfAnEarlierVersionWithSuchWindowsIsOfUse) {
  ASSERT_EQ(train("run", {"--set", "evaluation.stride=1,16,16"}).code, 0);
  const fs::path checkpoint = at("run/checkpoints/step-0000008.safetensors");
  engine::TensorFile content = engine::read_safetensors(checkpoint);
  const auto worsen = [](std::string config) {
    return config.replace(config.find("stride = [1, 16, 16]"), 20, "stride = [1, 64, 16]");
  };
  content.notes["config"] = worsen(content.notes["config"]);
  engine::write_safetensors(checkpoint, content);
  put(at("run/config.toml"), worsen(content_of(at("run/config.toml"))));
  fs::remove(at("run/evaluation.json"));
  const std::vector<std::string> resume = {"--resume", "--no-report", "--threads", "1", "--out", at("run")};
  const Outcome asked = run("sagcl-train", resume);
  EXPECT_EQ(asked.code, 2);
  EXPECT_TRUE(contains(asked.err, "--set evaluation.stride=1,16,16"));
  const Outcome predicted = run("sagcl-predict", {"--checkpoint", checkpoint, "--input", at("data/imagesTs"), "--output",
                                                  at("masks"), "--device", "cpu"});
  EXPECT_EQ(predicted.code, 0) << predicted.err;
  EXPECT_TRUE(contains(predicted.err, "[1, 32, 16] is used"));
  std::vector<std::string> followed = resume;
  followed.insert(followed.end(), {"--set", "evaluation.stride=1,16,16"});
  EXPECT_EQ(run("sagcl-train", followed).code, 0);
  EXPECT_TRUE(fs::exists(at("run/evaluation.json")));
}

#ifndef __SANITIZE_ADDRESS__  // which needs more addresses than the limit leaves
TEST_F(Preflight, TooLittleMemoryForTheDataIsSaidSo) {
  for (const char* part : {"imagesTr", "labelsTr"})
    for (int i = 0; i < 16; ++i) {
      fs::create_directories(at("large") / part);
      datasets::write_nifti(at("large") / part / fmt::format("c{}.nii.gz", i), box({96, 256, 256}, {1, 1, 1}, {90, 90, 90}),
                            {});
    }
  put(at("large/dataset.json"), R"({"labels": {"background": 0, "k": 1}})");
  const std::vector<std::string> words =
      arguments("run", {"--set", "data.folder=" + at("large").string(), "--set", "data.validation=0", "--set", "data.test=1",
                        "--method", "supervised"});
  // More than the program and its libraries take: OpenBLAS waits for ever for buffers that it cannot have.
  std::string command = "ulimit -v 500000; " + std::string(SAGCL_BINARY_DIR) + "/bin/sagcl-train";
  for (const std::string& word : words) command += " " + tools::shell_quoted(word);
  const int status = std::system((command + " 2> " + at("err").string()).c_str());
  EXPECT_EQ(WEXITSTATUS(status), 71);
  const std::string said = content_of(at("err"));
  EXPECT_TRUE(contains(said, at("large").string() + ": no memory is left for the data: "));
  EXPECT_TRUE(contains(said, " of 15 training cases are read and take "));
  EXPECT_TRUE(contains(said, "--set data.memory=GIB keeps so much of them in memory and the rest on disk"));
}
#endif

TEST_F(Preflight, ADiskMustHoldTheCheckpoints) {
  const fs::path run = folder_ / "not/yet/there";
  EXPECT_NO_THROW(tools::require_space(run, {3, 1000}));
  expect_error<engine::IoError>(
      [&] {
        tools::require_space(run, {3, std::size_t(1) << 60});
      },
      {run.string(), "are free and the checkpoints need 3221225472.0 GiB (3 files of 1073741824.0 GiB", "another disk"});
  semiagcl::RunSettings s;
  s.train.steps = 600, s.evaluation.checkpoint_every = 500;
  engine::TensorFile now;
  now.tensors["student/w"] = now.tensors["optimizer/w"] = Tensor::zeros({1000000});
  const auto about = [](std::size_t bytes) { return bytes + bytes / 10 + (1 << 20); };
  EXPECT_EQ(tools::checkpoints_to_come(run, s, true, now).files, 3);
  EXPECT_EQ(tools::checkpoints_to_come(run, s, true, now).each, about(12000000));  // a teacher will come
  EXPECT_EQ(tools::checkpoints_to_come(run, s, false, now).each, about(8000000));
  s.train.steps = 400;  // one at the end, one if it is interrupted
  EXPECT_EQ(tools::checkpoints_to_come(run, s, true, now).files, 2);
  for (const char* file : {"step-0000001", "step-0000002"})
    put(run / "checkpoints" / (std::string(file) + ".safetensors"), "");
  EXPECT_EQ(tools::checkpoints_to_come(run, s, true, now).files, 1);
}

TEST_F(Preflight, TheEstimateHoldsForWhatIsWritten) {
  for (const char* method : {"supervised", "mean-teacher", "semi-agcl"}) {
    ASSERT_EQ(train(method, {"--method", method, "--stop-after", "1"}).code, 130);
    semiagcl::RunSettings s;
    s.train.method = method;
    const engine::TensorFile first = engine::read_safetensors(at(method) / "checkpoints/step-0000001.safetensors");
    ASSERT_EQ(train(method, {"--method", method, "--resume"}).code, 0);
    const auto last =
        fs::file_size(at(method) / "checkpoints/step-0000006.safetensors");  // not the last, which has no optimiser
    const auto expected = tools::checkpoints_to_come(at("absent"), s, std::string(method) != "supervised", first).each;
    EXPECT_LE(last, expected) << method;
    EXPECT_LE(expected, 2 * last + (2 << 20)) << method;
  }
}

TEST_F(Preflight, ValidationLeavesOutWhatNobodyAnnotated) {
  put(at("data/dataset.json"),
      R"({"labels": {"background": 0, "part 1": 1, "part 2": 2, "ignore": 3}, "channel_names": {"0": "x"}})");
  change_label("labelsTr", 3, [](std::uint8_t* label) { std::fill(label, label + 512, std::uint8_t(3)); });
  semiagcl::RunSettings s;
  s.data.folder = at("data").string(), s.data.validation = "phantom_003", s.network.name = "unet",
  s.train.patch = {1, 32, 32};
  const tools::RunData data = tools::load_run_data(s, "");
  ASSERT_EQ(data.training.classes, 3);
  engine::Generator random(1, "weights");
  const auto network = layers::make_segmenter("unet", {.in_channels = 1, .classes = 3, .width = 2}, random);
  const tools::HeldOut held_out(data, s, engine::Device::cpu());
  const Tensor truth = held_out.load("phantom_003").label, mask = held_out.predict(*network, held_out.load("phantom_003"));
  const auto point = held_out.validate(*network, {"phantom_003"}, 7, "student", "validation");
  for (int k = 1; k < 3; ++k) {
    double both = 0, sum = 0;
    for (std::int64_t v = 512; v < 1024; ++v) {  // what follows the rows that are ignored
      const bool a = mask.data<std::uint8_t>()[v] == k, b = truth.data<std::uint8_t>()[v] == k;
      both += a && b, sum += a + b;
    }
    ASSERT_GT(sum, 0);
    EXPECT_DOUBLE_EQ(point.per_class[std::size_t(k - 1)], 2 * both / sum);
  }
}

TEST_F(Preflight, WhatConfigTomlCannotHoldIsRefused) {
  const fs::path latin = at("caf\xe9");
  fs::rename(at("data"), latin);
  refused(train("run", {"--set", "data.folder=" + latin.string()}), 2, {"data.folder = ", "is not UTF-8 text", "ln -s"});
  fs::create_symlink(latin, at("plain"));  // as the message says
  const Outcome followed = train("run", {"--set", "data.folder=" + at("plain").string()});
  EXPECT_EQ(followed.code, 0) << followed.err;
  // the folder of the run may have any name, also where it stands in a message of status.json
  const std::string name = "r\xfcn";
  const Outcome failed = train(name, {"--set", "data.folder=" + at("plain").string(), "--set", "train.learning_rate=1e36",
                                      "--set", "method.warm_up_share=0"});
  EXPECT_EQ(failed.code, 76) << failed.err;
  EXPECT_TRUE(contains(content_of(at(name) / "status.json"), "failed"));
  const std::string odd = "two\nlines \"and\" \\ quotes";
  fs::rename(latin, at(odd));
  ASSERT_EQ(train("odd", {"--set", "data.folder=" + at(odd).string(), "--stop-after", "1"}).code, 130);
  EXPECT_EQ(run("sagcl-train", {"--resume", "--no-report", "--threads", "1", "--out", at("odd")}).code, 0);
}

}  // namespace
}  // namespace sagcl::tests
