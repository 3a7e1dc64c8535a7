#include <cmath>
#include <sstream>

#include "tests/tools/small_runs.h"
#include "tools/inspect/compare.h"
#include "tools/inspect/tape_view.h"
#include "tools/run/run_folder.h"

using namespace sagcl;
using tests::contains;
using tests::Outcome;
using tests::run;
namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

class Inspect : public tests::SmallRuns {
 protected:
  void trained(const std::string& method, const std::vector<std::string>& more = {}) {
    std::vector<std::string> all = {"--method", method, "--set", "debug.grads_every=2"};
    all.insert(all.end(), more.begin(), more.end());
    const Outcome o = train("run", all);
    ASSERT_EQ(o.code, 0) << o.err;
  }
  void trained_again(const std::string& method) {
    fs::remove_all(at("run"));
    trained(method);
  }
  Outcome inspect(std::vector<std::string> words) const {
    for (const char* more : {"--device", "cpu", "--threads", "1"}) words.push_back(more);
    return run("sagcl-inspect", words);
  }
};

}  // namespace

TEST_F(Inspect, GradsOfAStepAreThoseThatTheRunWroteDown) {
  trained("semi-agcl");
  const tools::RunRecord record = tools::read_run(at("run"));
  ASSERT_EQ(record.gradients.size(), 4u);  // steps 1, 3, 5, 7
  EXPECT_EQ(record.gradients[0].gradients.terms, std::vector<std::string>{"sup"});
  const auto& logged = record.gradients[3];
  ASSERT_EQ(logged.step, 7);
  EXPECT_EQ(logged.gradients.terms, (std::vector<std::string>{"sup", "reg", "pl", "rw"}));

  const Outcome o = inspect({"grads", at("run"), "--step", "7", "--json"});
  ASSERT_EQ(o.code, 0) << o.err;
  const Json json = Json::parse(o.out);
  EXPECT_EQ(json["step"], 7);
  ASSERT_EQ(json["layers"].size(), logged.gradients.layers.size());
  for (std::size_t i = 0; i < logged.gradients.layers.size(); ++i) {
    const auto& layer = logged.gradients.layers[i];
    EXPECT_EQ(json["layers"][i]["name"], layer.name);
    for (std::size_t a = 0; a < 4; ++a)
      EXPECT_NEAR(json["layers"][i]["norms"][a].get<double>(), layer.norm(a), 1e-6 * (1e-6 + layer.norm(a)));
  }
  EXPECT_EQ(json["teacher"]["reached"], 0);
  EXPECT_GT(json["teacher"]["parameters"], 0);
  EXPECT_GT(json["weights"][0]["update_ratio"].get<double>(), 0);
}

TEST_F(Inspect, GradsAsText) {
  fs::remove_all(at("data"));
  datasets::write_phantoms(at("data"), {.extents = {{1, 32, 32}}, .seed = 3}, 6, 0, 2);  // whose labels can be looked up
  trained("bcp", {"--labelled", "2"});
  const std::string before = tests::content_of(at("run") / "metrics.jsonl");
  const Outcome o = inspect({"grads", at("run"), "--truth", "--depth", "1", "--batches", "2"});
  ASSERT_EQ(o.code, 0) << o.err;
  for (const char* part : {"step 9 of 8, phase bcp", "sup", "pseudo", "truth", "enc0 ", "head", "over 2 batches",
                           "Every layer received a gradient.", "parameters none did"})
    EXPECT_TRUE(contains(o.out, part));
  EXPECT_EQ(tests::content_of(at("run") / "metrics.jsonl"), before);
}

TEST_F(Inspect, TheReportShowsTheGradientsOverTheRun) {
  trained("mean-teacher");
  const Outcome o = run("sagcl-report", {at("run")});
  ASSERT_EQ(o.code, 0) << o.err;
  const std::string page = tests::content_of(at("run") / "report.html");
  EXPECT_TRUE(contains(page, "What each term of the loss does to each layer"));
  EXPECT_TRUE(contains(page, "reg: cosine with sup"));
}

TEST_F(Inspect, WritingGradientsDownSurvivesAResume) {
  trained("mean-teacher");
  ASSERT_EQ(train("parts", {"--method", "mean-teacher", "--set", "debug.grads_every=2", "--stop-after", "3"}).code, 130);
  ASSERT_EQ(run("sagcl-train", {"--resume", "--out", at("parts"), "--device", "cpu", "--threads", "1", "--no-report"}).code,
            0);
  EXPECT_EQ(tools::read_run(at("parts")).gradients.size(), 4u);
}

TEST_F(Inspect, WhatCannotBeLookedAtIsSaid) {
  trained("supervised");
  const auto refused = [&](const std::vector<std::string>& words, int code, const std::string& part) {
    const Outcome o = inspect(words);
    EXPECT_EQ(o.code, code) << o.err;
    EXPECT_TRUE(contains(o.err, part));
  };
  refused({"grads"}, 2, "give a run folder, or --preset and --data");
  refused({"grads", at("nothing")}, 66, "nothing");
  refused({"grads", at("run"), "--step", "99"}, 2, "the run has the steps 1 to 8");
  refused({"grads", at("run"), "--set", "train.batch=4"}, 2, "train.batch");
  refused({"grads", at("run"), "--truth"}, 2, "labelled samples alone");
  trained_again("bcp");
  refused({"grads", at("run"), "--truth"}, 65, "case phantom_004 has no label");
}

TEST_F(Inspect, ReplayRepeatsAStepBitForBit) {
  trained("semi-agcl");
  const Outcome same = inspect({"replay", at("run"), "--step", "7"});
  EXPECT_EQ(same.code, 0) << same.err;
  EXPECT_TRUE(contains(same.out, "The same bits."));

  std::string metrics = tests::content_of(at("run") / "metrics.jsonl");
  const std::string begin = "{\"step\":7,\"phase\":\"train\",\"loss\":";
  const std::size_t line = metrics.find(begin) + begin.size();
  metrics.replace(line, metrics.find(',', line) - line, "0.125");
  tests::put(at("run") / "metrics.jsonl", metrics);
  const Outcome other = inspect({"replay", at("run"), "--step", "7", "--json"});
  EXPECT_EQ(other.code, 1);
  EXPECT_EQ(Json::parse(other.out)["values"]["loss"][0], 0.125);
  EXPECT_EQ(Json::parse(other.out)["same_bits"], false);
}

TEST_F(Inspect, NanNamesWhereItBegan) {
  trained("mean-teacher");
  const Outcome healthy = inspect({"nan", at("run"), "--step", "8"});
  EXPECT_EQ(healthy.code, 0) << healthy.err;
  EXPECT_TRUE(contains(healthy.out, "all steps to 8 are finite"));

  ASSERT_EQ(train("bad", {"--method", "supervised", "--set", "train.learning_rate=1e30"}).code, 76);
  const Outcome o = inspect({"nan", at("bad")});
  EXPECT_EQ(o.code, 76);
  for (const char* part : {"not finite", "operation ", "record ", "it was given", "case"})
    EXPECT_TRUE(contains(o.err, part));
}

TEST_F(Inspect, TapeAsTableGraphAndPicture) {
  trained("bcp");
  const Outcome o = inspect({"tape", at("run"), "--depth", "1", "--svg", at("tape.svg"), "--dot", at("tape.dot")});
  ASSERT_EQ(o.code, 0) << o.err;
  for (const char* part : {"enc0", "up4", "head", "dice_loss", "forward ms"}) EXPECT_TRUE(contains(o.out, part));
  const std::string svg = tests::content_of(at("tape.svg"));
  EXPECT_TRUE(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n"));
  EXPECT_TRUE(contains(svg, ">enc0</text>"));
  EXPECT_TRUE(contains(tests::content_of(at("tape.dot")), "->"));

  const Outcome full = inspect({"tape", at("run"), "--json"});
  const Json json = Json::parse(full.out);
  ASSERT_GT(json["operations"].size(), 50u);
  EXPECT_EQ(json["operations"][0]["op"], "conv");
  EXPECT_EQ(json["operations"][0]["module"], "enc0.0");
  EXPECT_TRUE(contains(json["operations"][0]["where"].get<std::string>(), "ops/conv.cpp:"));
  EXPECT_GT(json["operations"][0]["kept_bytes"].get<std::int64_t>(), 0);
  EXPECT_GT(json["operations"][0]["gradient_norm"].get<double>(), 0);
  EXPECT_EQ(json["operations"][1]["sources"][0], 0);
}

TEST_F(Inspect, MemoryAndProfile) {
  trained("bcp", {"--set", "evaluation.checkpoint_every=5"});
  const Outcome o = inspect({"memory", at("run"), "--svg", at("memory.svg"), "--json"});
  ASSERT_EQ(o.code, 0) << o.err;
  const Json json = Json::parse(o.out);
  EXPECT_GT(json["end_of_forward"].get<std::size_t>(), json["before"].get<std::size_t>());
  EXPECT_GE(json["peak"].get<std::size_t>(), json["end_of_forward"].get<std::size_t>());
  EXPECT_TRUE(tests::content_of(at("memory.svg")).starts_with("<svg xmlns="));

  const Outcome p = inspect({"profile", at("run"), "--step", "6", "--steps", "2", "--trace", at("trace.json")});
  ASSERT_EQ(p.code, 0) << p.err;
  for (const char* part : {"2 steps of", "forward", "backward", "optimiser", "backward conv", "GFLOP/s"})
    EXPECT_TRUE(contains(p.out, part));
  EXPECT_GT(Json::parse(tests::content_of(at("trace.json")))["traceEvents"].size(), 100u);
  EXPECT_EQ(inspect({"profile", at("run")}).code, 2);  // nothing is left of it
}

TEST_F(Inspect, CompareSaysWhereTwoRunsPart) {
  trained("mean-teacher");
  ASSERT_EQ(train("same", {"--method", "mean-teacher", "--set", "debug.grads_every=2"}).code, 0);
  const Outcome same = run("sagcl-inspect", {"compare", at("run"), at("same")});
  EXPECT_EQ(same.code, 0) << same.out << same.err;
  EXPECT_TRUE(contains(same.out, "The settings are equal."));

  ASSERT_EQ(train("other", {"--method", "mean-teacher", "--set", "method.ema_decay=0.5"}).code, 0);
  const Outcome o = run("sagcl-inspect", {"compare", at("run"), at("other"), "--json"});
  EXPECT_EQ(o.code, 1);
  const Json json = Json::parse(o.out);
  EXPECT_TRUE(contains(json["settings"].get<std::string>(), "method.ema_decay"));
  EXPECT_GT(json["first_step"].get<int>(),
            5);  // the teacher begins behind the fourth, and follows its student from the fifth
  EXPECT_GT(json["differ"].size(), 0u);
  EXPECT_EQ(run("sagcl-inspect", {"compare", at("run"), at("nothing")}).code, 66);
}

TEST_F(Inspect, WatchWritesDownWhatTensorsHold) {
  const std::vector<std::string> watched = {"--set", "debug.watch=enc0.0/conv:*,head.w:grad@every=3,teacher.probabilities",
                                            "--set", "debug.watch_npy=true"};
  trained("mean-teacher", watched);
  const auto lines_of = [&](const char* folder) {
    std::vector<Json> lines;
    std::istringstream metrics(tests::content_of(at(folder) / "metrics.jsonl"));
    for (std::string line; std::getline(metrics, line);)
      if (Json json = Json::parse(line); json["phase"] == "watch") lines.push_back(std::move(json));
    return lines;
  };
  const std::vector<Json> lines = lines_of("run");
  ASSERT_EQ(lines.size(), 8u);
  EXPECT_EQ(lines[0]["tensors"].size(), 3u);  // the teacher begins behind the fourth
  EXPECT_EQ(lines[1]["tensors"].size(), 2u);
  EXPECT_EQ(lines[6]["tensors"].size(), 4u);
  EXPECT_EQ(lines[6]["tensors"]["enc0.0/conv:out"]["shape"], Json({2, 1, 32, 32, 2}));
  EXPECT_NEAR(lines[6]["tensors"]["teacher.probabilities"]["mean"].get<double>(), 1. / 3, 1e-6);  // of three classes

  const Outcome o = inspect({"watch", at("run"), "--step", "7", "--name", "enc0.0/conv:*", "--name", "head.w:grad", "--name",
                             "teacher.probabilities", "--json"});
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(Json::parse(o.out)["tensors"], lines[6]["tensors"]);
  const std::string npy = tests::content_of(at("run") / "watch" / "step-0000007" / "enc0.0_conv_grad.npy");
  EXPECT_TRUE(contains(npy, "'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 32, 32, 2, ), }"));
  EXPECT_EQ(npy.size() % 64, 0u);
  EXPECT_EQ(npy.size(), 128 + 4 * 2 * 32 * 32 * 2u);

  const Outcome names = inspect({"watch", at("run"), "--step", "7"});
  for (const char* name : {"\nenc0.0/conv:out\n", "\nhead.w:value\n", "\nteacher/head.w:value\n", "\nstudent.logits\n"})
    EXPECT_TRUE(contains(names.out, name));
  const Outcome none = inspect({"watch", at("run"), "--name", "enc0.0/conv:*", "--name", "A"});
  EXPECT_EQ(none.code, 66);
  EXPECT_TRUE(contains(none.err, "fits A;"));

  // Watching changes nothing, and goes on with a run.
  ASSERT_EQ(train("plain", {"--method", "mean-teacher"}).code, 0);
  const Outcome same = run("sagcl-inspect", {"compare", at("run"), at("plain")});
  EXPECT_TRUE(contains(same.out, "Loss and terms of the 8 steps that both have are equal."));
  EXPECT_TRUE(contains(same.out, " have the same bits, 0 differ"));
  std::vector<std::string> part = {"--method", "mean-teacher", "--stop-after", "3"};
  part.insert(part.end(), watched.begin(), watched.end());
  const Outcome begun = train("parts", part);
  ASSERT_EQ(begun.code, 130);
  EXPECT_TRUE(contains(begun.err, "nothing in step 1 fits teacher.probabilities"));
  ASSERT_EQ(run("sagcl-train", {"--resume", "--out", at("parts"), "--device", "cpu", "--threads", "1", "--no-report"}).code,
            0);
  EXPECT_EQ(lines_of("parts"), lines);
  const Outcome wrong = train("wrong", {"--set", "debug.watch=A@every=0"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_TRUE(contains(wrong.err, "debug.watch: 'A@every=0'"));
}

TEST_F(Inspect, HashesSayWhetherDataOrArithmeticDiffer) {
  const auto hashed = [&](const std::string& name, const std::vector<std::string>& more = {}) {
    std::vector<std::string> all = {"--method", "mean-teacher", "--set", "debug.hashes=2"};
    all.insert(all.end(), more.begin(), more.end());
    ASSERT_EQ(train(name, all).code, 0);
  };
  hashed("run"), hashed("same"), hashed("seed", {"--seed", "7"}), hashed("rate", {"--set", "train.learning_rate=2e-3"});
  const tools::RunRecord record = tools::read_run(at("run"));
  ASSERT_EQ(record.hashes.size(), 4u);  // steps 1, 3, 5, 7
  EXPECT_EQ(record.hashes[0].hashes[0].first, "batch/weak");
  const auto compared = [&](const std::string& other) {
    return run("sagcl-inspect", {"compare", at("run"), at(other)}).out;
  };
  EXPECT_TRUE(contains(compared("same"), "are equal at all 4 steps"));
  EXPECT_TRUE(contains(compared("seed"), "1 is the first where"));
  EXPECT_TRUE(contains(compared("seed"), "batch/weak"));
  EXPECT_TRUE(contains(compared("rate"), "It is equal batches and gradients, so the update of the weights."));
}

TEST_F(Inspect, BatchIsAPageOfPictures) {
  trained("semi-agcl", {"--set", "method.preset=mixed", "--set", "method.warm_up_share=0.25"});
  const Outcome o = inspect({"batch", at("run"), "--step", "8", "--html", at("batch.html"), "--json"});
  ASSERT_EQ(o.code, 0) << o.err;
  const Json json = Json::parse(o.out);
  ASSERT_EQ(json["samples"].size(), 2u);
  EXPECT_EQ(json["samples"][0]["kind"], "labelled");
  EXPECT_EQ(json["samples"][1]["kind"], "unlabelled");
  EXPECT_EQ(json["shown"]["A"]["shape"], Json({2, 4, 4}));
  EXPECT_EQ(json["shown"]["picks"]["values"].size(), json["shown"]["q"]["shape"][0]);
  const auto a = json["shown"]["A"]["values"].get<std::vector<double>>();
  const auto s = json["singular_values"].get<std::vector<double>>();
  double squares = 0, of_values = 0;
  for (int i = 0; i < 16; ++i) squares += a[std::size_t(i)] * a[std::size_t(i)];
  for (int i = 0; i < 4; ++i) of_values += s[std::size_t(i)] * s[std::size_t(i)];
  EXPECT_NEAR(squares, of_values, 1e-5 * squares);  // ‖A‖_F
  const std::string page = tests::content_of(at("batch.html"));
  for (const char* part : {"<h2>Samples", "<h2>Student", "<h2>Teacher", "<h2>Patches", "<h2>Affinity graph",
                           "<h2>Hard negatives", "stroke-dasharray=\"5 4\"", "pseudo-labels", "singular values", "U Vᵀ"})
    EXPECT_TRUE(contains(page, part));

  trained_again("supervised");
  ASSERT_EQ(inspect({"batch", at("run"), "--html", at("batch.html")}).code, 0);
  const std::string plain = tests::content_of(at("batch.html"));
  EXPECT_TRUE(contains(plain, "<h2>Student"));
  EXPECT_FALSE(contains(plain, "<h2>Teacher") || contains(plain, "<h2>Patches"));
}

TEST_F(Inspect, ChecksOfAStepPass) {
  trained("semi-agcl", {"--set", "method.preset=mixed"});
  const Outcome gradients = inspect({"gradcheck", "step", "--run", at("run"), "--step", "7", "--elements", "1", "--json"});
  ASSERT_EQ(gradients.code, 0) << gradients.out << gradients.err;
  const Json json = Json::parse(gradients.out);
  EXPECT_GT(json["gradients"].size(), 50u);
  for (const Json& one : json["gradients"]) EXPECT_LT(one["worst"].get<double>(), 1e-5) << one["name"];
  const Outcome bits = run("sagcl-inspect", {"bits", at("run"), "--step", "7", "--device", "cpu", "--threads", "3"});
  EXPECT_EQ(bits.code, 0) << bits.out << bits.err;
  EXPECT_TRUE(contains(bits.out, "The same bits with 1 thread and with 3: "));
  const Outcome leaks = inspect({"leaks", at("run"), "--step", "2", "--steps", "5"});
  EXPECT_EQ(leaks.code, 0) << leaks.out << leaks.err;
  EXPECT_TRUE(contains(leaks.out, "5 steps gave back all that they asked for"));
  EXPECT_EQ(inspect({"leaks", at("run"), "--steps", "5"}).code, 2);  // nothing is left of it
  EXPECT_EQ(inspect({"gradcheck", "op", "--only", "no such*"}).code, 2);
}

TEST(Compare, CountsTheNumbersBetween) {
  const float next = std::nextafter(1.0f, 2.0f), below = std::nextafter(0.0f, -1.0f);
  const auto d =
      tools::difference("w", engine::Tensor::of<float>({3}, {1, 0, 5}), engine::Tensor::of<float>({3}, {next, below, 5}));
  EXPECT_EQ(d.differ, 2);
  EXPECT_EQ(d.first, 0);
  EXPECT_EQ(d.ulp, 1u);
  EXPECT_EQ(d.largest, double(next) - 1);
  EXPECT_EQ(tools::difference("w", engine::Tensor::of<float>({1}, {0}), engine::Tensor::of<float>({1}, {-0.0f})).differ, 0);
  EXPECT_FALSE(tools::difference("w", engine::Tensor::zeros({2}), engine::Tensor::zeros({3})).shapes.empty());
}

TEST(RunFolder, LinesAboutGradientsReadBack) {
  semiagcl::TermGradients g{{"sup", "reg"}, {{"enc0", {4, -1, -1, 9}}, {"head", {0, 0, 0, 1e-12}}}};
  const std::string line = tools::gradients_line({5, g});
  const tools::GradientPoint point = tools::gradient_point(line, "metrics.jsonl:1");
  EXPECT_EQ(point.step, 5);
  EXPECT_EQ(point.gradients.terms, g.terms);
  ASSERT_EQ(point.gradients.layers.size(), 2u);
  EXPECT_EQ(point.gradients.layers[0].products, g.layers[0].products);
  EXPECT_EQ(point.gradients.layers[1].products, g.layers[1].products);
  for (const char* bad : {R"({"step":5,"terms":["a"],"layers":["x"],"products":[]})",
                          R"({"step":5,"terms":["a"],"layers":["x"],"products":[[1,2]]})", R"({"step":5})"})
    try {
      tools::gradient_point(bad, "metrics.jsonl:7");
      ADD_FAILURE() << bad;
    } catch (const engine::DataError& e) { EXPECT_TRUE(contains(e.what(), "metrics.jsonl:7")); }
}

TEST(Tape, JoinsOperationsThatFollowOneAnother) {
  const auto entry = [](const char* op, const char* module, std::vector<std::size_t> sources) {
    tools::TapeEntry e{.op = op, .module = module, .where = "", .shape = {2}};
    e.sources = std::move(sources), e.forward = 1, e.kept = 8;
    return e;
  };
  const auto all = tools::joined({entry("conv", "a.0", {}), entry("norm", "a.1", {0}), entry("add", "", {0, 1}),
                                  entry("add", "", {2}), entry("conv", "a.0", {3, 1})},
                                 1);
  ASSERT_EQ(all.size(), 4u);  // a, add, add, a again
  EXPECT_EQ(all[0].op, "2 operations");
  EXPECT_EQ(all[0].forward, 2);
  EXPECT_EQ(all[0].kept, 16);
  EXPECT_TRUE(all[0].sources.empty());
  EXPECT_EQ(all[1].sources, std::vector<std::size_t>{0});
  EXPECT_EQ(all[3].module, "a");
  EXPECT_EQ(all[3].sources, (std::vector<std::size_t>{0, 2}));
}
