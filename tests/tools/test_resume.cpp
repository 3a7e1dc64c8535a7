// One command line for a scheduler: `sagcl-train … --out RUN --resume` begins a run, goes on with it and finds it finished.
#include <signal.h>

#include <cstring>
#include <map>

#include "datasets/formats/nifti.h"
#include "engine/files/safetensors.h"
#include "tests/tools/small_runs.h"

namespace sagcl::tests {
namespace {

class Resume : public SmallRuns {
 protected:
  Outcome resume(const std::string& name, std::vector<std::string> more = {}) const {
    more.push_back("--resume");
    return train(name, more);
  }
  Outcome resume_alone(const std::string& name, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all = {"--resume", "--no-report", "--threads", "1", "--out", at(name)};
    all.insert(all.end(), more.begin(), more.end());
    return run("sagcl-train", all);
  }
  std::string metrics(const std::string& name) const { return results(name).at("metrics.jsonl"); }
};

TEST_F(Resume, BeginsARunThatIsNotThere) {
  ASSERT_EQ(train("whole").code, 0);
  const Outcome first = resume("run");
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_TRUE(contains(first.err, "holds no checkpoint yet: begun at step 0"));
  auto a = results("whole"), b = results("run");
  a.erase("command.txt"), b.erase("command.txt");
  EXPECT_TRUE(a == b);
  const Outcome alone = resume_alone("absent");
  EXPECT_EQ(alone.code, 2);
  EXPECT_TRUE(contains(alone.err, "absent holds no run to continue, and to begin one --data DIR is missing"));
  EXPECT_FALSE(fs::exists(at("absent")));
}

TEST_F(Resume, StepByStepIsTheWholeRun) {
  const std::vector<std::string> restarting = {"--set", "train.restarts=1"};  // the warm-up is too short to find every class
  for (const std::vector<std::string>& kind : std::vector<std::vector<std::string>>{
           {}, {"--method", "mean-teacher", "--set", "method.average_warm_up=true"}, restarting}) {
    const Outcome whole = train("whole", kind);
    ASSERT_EQ(whole.code, 0);
    EXPECT_EQ(whole.err.find("the run starts again") != std::string::npos, kind == restarting);
    EXPECT_EQ(whole.err.find("warning: step 4: no voxel of the labelled cases is given the class ") != std::string::npos,
              kind == restarting);
    std::vector<std::string> step = kind;
    step.insert(step.end(), {"--stop-after", "1"});
    int calls = 1;
    for (int code; (code = resume("parts", step).code) != 0; ++calls) ASSERT_TRUE(code == 130 && calls < 40) << code;
    EXPECT_EQ(calls, kind == restarting ? 12 : 8);  // the warm-up of four steps once more
    auto a = results("whole"), b = results("parts");
    for (const char* file : {"command.txt", "checkpoints/step-0000006.safetensors"}) a.erase(file);
    for (const char* file : {"command.txt", "checkpoints/step-0000007.safetensors"}) b.erase(file);
    for (const auto& [file, content] : a) EXPECT_TRUE(content == b[file]) << file;
    EXPECT_EQ(a.size(), b.size());
    for (const char* name : {"whole", "parts"}) fs::remove_all(at(name));
  }
}

TEST_F(Resume, LooksAtTheMethodChangeNoBitAndStay) {
  ASSERT_EQ(train("looked").code, 0);
  ASSERT_EQ(train("alone", {"--set", "evaluation.every=0"}).code, 0);
  const std::map<std::string, std::string> looked = results("looked"), alone = results("alone");
  for (const char* name : {"looks/step-0000004.json", "looks/step-0000006.json"}) {  // the method begins behind step 4
    EXPECT_TRUE(looked.count(name)) << name;
    EXPECT_FALSE(alone.count(name)) << name;
  }
  EXPECT_FALSE(looked.count("looks/step-0000002.json"));
  const auto state = [&](const std::string& name) {
    return engine::read_safetensors(at(name) / "checkpoints/step-0000008.safetensors").tensors;
  };
  const auto a = state("looked"), b = state("alone");
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, tensor] : a) {
    ASSERT_EQ(tensor.bytes(), b.at(name).bytes());
    EXPECT_EQ(std::memcmp(tensor.bytes_begin(), b.at(name).bytes_begin(), tensor.bytes()), 0) << name;
  }
  ASSERT_EQ(train("mean-teacher", {"--method", "mean-teacher"}).code, 0);
  EXPECT_FALSE(fs::exists(at("mean-teacher") / "looks"));
}

TEST_F(Resume, SaysThatARunIsFinishedAndEvaluatesWhatIsMissing) {
  ASSERT_EQ(train("run").code, 0);
  const auto whole = results("run");
  const auto written = fs::last_write_time(at("run/evaluation.json"));
  const Outcome again = resume("run");
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_TRUE(contains(again.err, "is finished: nothing to do"));
  EXPECT_EQ(fs::last_write_time(at("run/evaluation.json")), written);
  EXPECT_EQ(resume_alone("run/").code, 0);
  for (const char* lost : {"evaluation.json", "predictions/phantom_008.nii.gz"}) {
    ASSERT_TRUE(fs::remove(at("run") / lost) || fs::remove(at("run/predictions/phantom_008.png"))) << lost;
    const Outcome repaired = resume("run");
    EXPECT_EQ(repaired.code, 0) << repaired.err;
    EXPECT_TRUE(contains(repaired.err, "it is evaluated again"));
    EXPECT_TRUE(results("run") == whole) << lost;
  }
  std::vector<std::string> with_report = {"--resume", "--threads", "1", "--out", at("run")};
  ASSERT_EQ(run("sagcl-train", with_report).code, 0);
  EXPECT_TRUE(fs::exists(at("run/report.html")));  // which was missing
}

TEST_F(Resume, TakesUpAStartThatWasKilled) {
  ASSERT_EQ(train("whole").code, 0);
  const auto whole = results("whole");
  const std::vector<std::string> files = {"split.json", "metrics.jsonl", "command.txt",
                                          "env.json",   "status.json",   "config.toml"};
  for (std::size_t n = 0; n <= files.size(); ++n) {  // so many of them were written
    const std::string name = fmt::format("start-{}", n);
    ASSERT_EQ(train(name, {"--stop-after", "1"}).code, 130);
    fs::remove_all(at(name) / "checkpoints");
    fs::remove_all(at(name) / "predictions");
    put(at(name) / "status.json",
        R"({"schema_version":1,"state":"running","step":0,"checkpoints":0,"seconds":0.0,"peak_MiB":1})");
    for (std::size_t i = n; i < files.size(); ++i) fs::remove(at(name) / files[i]);
    put(at(name) / "checkpoints/step-0000002.safetensors.tmp-4711", "half a");
    put(at(name) / "split.json.tmp-4711", "half a");
    const Outcome resumed = resume(name);
    ASSERT_EQ(resumed.code, 0) << resumed.err;
    auto left = results(name), expected = whole;
    left.erase("command.txt"), expected.erase("command.txt");
    EXPECT_TRUE(left == expected) << n;
  }
  // as the version before wrote it: config.toml first
  ASSERT_EQ(train("old", {"--stop-after", "1"}).code, 130);
  for (const char* file : {"checkpoints", "split.json", "status.json", "env.json"}) fs::remove_all(at("old") / file);
  EXPECT_EQ(resume("old").code, 0);
  EXPECT_EQ(results("old").at("checkpoints/step-0000008.safetensors"), whole.at("checkpoints/step-0000008.safetensors"));
}

TEST_F(Resume, NamesWhatHasBeenLost) {
  ASSERT_EQ(train("run", {"--stop-after", "3"}).code, 130);
  const auto copy = [&] {
    fs::remove_all(at("x"));
    fs::copy(at("run"), at("x"), fs::copy_options::recursive);
  };
  const auto lose = [&](const std::string& file) {
    copy();
    fs::remove_all(at("x") / file);
    return resume("x");
  };
  const Outcome checkpoints = lose("checkpoints");
  EXPECT_EQ(checkpoints.code, 65);
  EXPECT_TRUE(contains(checkpoints.err, "x/status.json: says that step 3 was saved, but checkpoints/ holds none"));
  const Outcome config = lose("config.toml");
  EXPECT_EQ(config.code, 65);
  EXPECT_TRUE(contains(config.err, "x: holds checkpoints but no config.toml"));
  EXPECT_EQ(train("x").code, 65);  // nor does a new run begin among old checkpoints
  const Outcome split = lose("split.json");
  EXPECT_EQ(split.code, 66);
  EXPECT_TRUE(contains(split.err, "x/split.json: is gone"));
  EXPECT_EQ(lose("metrics.jsonl").code, 0);
  for (const char* file : {"x/status.json", "x/split.json"}) {
    copy();
    put(at(file), "");
    const Outcome empty = resume("x");
    EXPECT_EQ(empty.code, 65);
    EXPECT_TRUE(contains(empty.err, file));
  }
  copy();
  for (const auto& entry : fs::directory_iterator(at("x/checkpoints"))) put(entry.path(), "");
  const Outcome unreadable = resume("x");
  EXPECT_EQ(unreadable.code, 65);
  EXPECT_TRUE(contains(unreadable.err, "x/checkpoints: none of its 2 checkpoints can be read"));
}

TEST_F(Resume, FlagsMustGiveTheSettingsOfTheRun) {
  ASSERT_EQ(train("run", {"--stop-after", "3"}).code, 130);
  const Outcome other = resume("run", {"--set", "train.learning_rate=2e-3"});
  EXPECT_EQ(other.code, 2);
  EXPECT_TRUE(contains(other.err, "train.learning_rate: 0.001 | 0.002"));
  // config.toml changed by hand
  std::string config = content_of(at("run/config.toml"));
  config.replace(config.find("batch = 2"), 9, "batch = 4");
  put(at("run/config.toml"), config);
  const Outcome edited = resume_alone("run");
  EXPECT_EQ(edited.code, 65);
  EXPECT_TRUE(contains(edited.err, "train.batch: 2 | 4"));
  EXPECT_TRUE(contains(edited.err, "run/config.toml"));
  put(at("run/config.toml"), config.substr(0, 40));
  const Outcome cut = resume("run");
  EXPECT_EQ(cut.code, 65);
  EXPECT_TRUE(contains(cut.err, "run/config.toml: is not whole"));
}

TEST_F(Resume, TheDivisionStaysTheRuns) {
  ASSERT_EQ(run("sagcl-data", {"split", at("data"), "--out", at("a.json"), "--labeled", "2"}).code, 0);
  ASSERT_EQ(run("sagcl-data", {"split", at("data"), "--out", at("b.json"), "--labeled", "3"}).code, 0);
  ASSERT_EQ(train("run", {"--split", at("a.json"), "--stop-after", "3"}).code, 130);
  EXPECT_EQ(resume("run", {"--split", at("a.json"), "--stop-after", "1"}).code, 130);
  const Outcome other = resume("run", {"--split", at("b.json")});
  EXPECT_EQ(other.code, 2);
  EXPECT_TRUE(contains(other.err, "b.json divides the data otherwise than"));
  EXPECT_EQ(resume_alone("run").code, 0);
}

TEST_F(Resume, EvaluationMayChangeAndStaysOnRecord) {
  ASSERT_EQ(train("whole").code, 0);
  ASSERT_EQ(train("run", {"--stop-after", "3"}).code, 130);
  const Outcome changed = resume("run", {"--set", "evaluation.stride=[1, 16, 16]", "--set", "evaluation.every=0"});
  ASSERT_EQ(changed.code, 0) << changed.err;
  EXPECT_TRUE(contains(changed.err, "changed  settings (before | now): evaluation.every: 2 | 0"));
  EXPECT_TRUE(contains(content_of(at("run/config.toml")), "stride = [1, 16, 16]"));
  EXPECT_TRUE(
      contains(metrics("run"), R"({"step":3,"phase":"note","text":"settings (before | now): evaluation.every: 2 | 0)"));
  const auto weights = [&](const std::string& name) {
    engine::TensorFile content = engine::read_safetensors(at(name) / "checkpoints/step-0000008.safetensors");
    content.notes.erase("config");
    return engine::safetensors_bytes(content);
  };
  EXPECT_TRUE(weights("whole") == weights("run"));
  EXPECT_TRUE(contains(content_of(at("run/checkpoints/step-0000008.safetensors")), "stride = [1, 16, 16]"));
  EXPECT_EQ(run("sagcl-report", {at("run")}).code, 0);
  // a finished run is evaluated as is now asked, and without flags stays so
  const Outcome again = resume("run", {"--set", "evaluation.stride=1,8,8", "--set", "evaluation.every=0"});
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_TRUE(contains(again.err, "evaluation.stride: [1, 16, 16] | [1, 8, 8]"));
  EXPECT_TRUE(contains(resume_alone("run").err, "nothing to do"));
}

TEST_F(Resume, DataThatHasMovedIsFoundAgain) {
  ASSERT_EQ(train("run", {"--stop-after", "3"}).code, 130);
  fs::rename(at("data"), at("moved"));
  const Outcome gone = resume_alone("run");
  EXPECT_EQ(gone.code, 66);
  EXPECT_TRUE(contains(gone.err, at("data").string()));
  const Outcome found = resume_alone("run", {"--data", at("moved").string() + "/", "--stop-after", "1"});
  EXPECT_EQ(found.code, 130);
  EXPECT_TRUE(contains(found.err, "changed  settings (before | now): data.folder: \"" + at("data").string() + "\" | \"" +
                                      at("moved").string() + "\"\n"));
  EXPECT_EQ(resume_alone("run").code, 0);  // it stays on record
}

TEST_F(Resume, AHeldOutCaseMayBeRepairedATrainingCaseMayNot) {
  ASSERT_EQ(train("run", {"--stop-after", "3"}).code, 130);
  const auto change = [&](const fs::path& file) {
    datasets::Image image = datasets::read_nifti(file);
    engine::Tensor label = image.voxels.to(engine::Dtype::u8).reshape({1, 32, 32});
    label.data<std::uint8_t>()[0] = 1;
    datasets::write_nifti(file, label, image.geometry);
  };
  change(at("data/labelsTs/phantom_008.nii.gz"));
  const Outcome told = resume("run", {"--stop-after", "2"});
  EXPECT_EQ(told.code, 130) << told.err;
  EXPECT_TRUE(contains(told.err, "changed  the files of case phantom_008, which is held out, since the run began"));
  EXPECT_TRUE(contains(metrics("run"), "the files of case phantom_008"));
  const Outcome finished = resume("run");
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_EQ(finished.err.find("changed"), std::string::npos) << finished.err;  // the new hash is on record
  ASSERT_EQ(train("other", {"--stop-after", "3"}).code, 130);
  change(at("data/labelsTr/phantom_000.nii.gz"));
  const Outcome refused = resume("other");
  EXPECT_EQ(refused.code, 65);
  EXPECT_TRUE(contains(refused.err, "the files of case phantom_000 have changed"));
}

TEST_F(Resume, OneProcessAtATime) {
  const pid_t first = spawn(arguments("run", {"--set", "train.steps=1000000"}));
  await("run/checkpoints/step-0000004.safetensors");
  for (const Outcome& second : {resume_alone("run"), train("run")}) {
    EXPECT_EQ(second.code, 75);
    EXPECT_TRUE(contains(second.err, fmt::format("run is in use: process {} on ", first)));
  }
  EXPECT_EQ(run("sagcl-report", {at("run")}).code, 0);  // who reads does not ask
  EXPECT_EQ(run("sagcl-train", arguments("run", {"--dry-run"})).code, 0);
  ::kill(first, SIGKILL);
  EXPECT_EQ(ended(first), 128 + SIGKILL);
  EXPECT_TRUE(fs::exists(at("run/lock")));
  EXPECT_EQ(resume_alone("run", {"--stop-after", "1"}).code, 130);  // it died with its process
  EXPECT_FALSE(fs::exists(at("run/lock")));
}

TEST_F(Resume, OfSeveralStartsAtOnceOneWins) {
  for (int round = 0; round < 5; ++round) {
    const std::string name = fmt::format("run-{}", round);
    std::vector<pid_t> starts;
    for (int i = 0; i < 4; ++i) starts.push_back(spawn(arguments(name, {"--stop-after", "2"}), fmt::format("log-{}", i)));
    int won = 0;
    for (const pid_t start : starts) {
      const int code = ended(start);  // 2: it came when the winner had ended already
      won += code == 130;
      EXPECT_TRUE(code == 130 || code == 75 || code == 2) << code;
    }
    EXPECT_EQ(won, 1);
    EXPECT_EQ(resume(name, {"--stop-after", "1"}).code, 130);
  }
}

TEST_F(Resume, ASignalAtTheStartIsAnswered) {
  const std::vector<std::string> endless = {"--set", "train.steps=1000000", "--resume"};
  for (const int signal : {SIGUSR1, SIGTERM, SIGINT}) {
    const pid_t child = spawn(arguments("run", endless));
    await("run/lock");
    ::kill(child, signal);
    EXPECT_EQ(ended(child), signal == SIGTERM ? 143 : 130) << content_of(at("log"));
    EXPECT_FALSE(fs::exists(at("run/lock")));
  }
  std::vector<std::string> once = endless;
  once.insert(once.end(), {"--stop-after", "1"});
  EXPECT_EQ(train("run", once).code, 130);
}

}  // namespace
}  // namespace sagcl::tests
