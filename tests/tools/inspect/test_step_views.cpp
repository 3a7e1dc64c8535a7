#include <sstream>

#include "tests/tools/inspect/inspect_support.h"
#include "tools/inspect/tape_view.h"

namespace sagcl::tests {
namespace {

using Json = nlohmann::json;

TEST_F(Inspect, TapeAsTableGraphAndPicture) {
  trained("bcp");
  const Outcome o = inspect({"tape", at("run"), "--depth", "1", "--svg", at("tape.svg"), "--dot", at("tape.dot")});
  ASSERT_EQ(o.code, 0) << o.err;
  for (const char* part : {"enc0", "up4", "head", "dice_loss", "forward ms"}) EXPECT_TRUE(contains(o.out, part));
  const std::string svg = content_of(at("tape.svg"));
  EXPECT_TRUE(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n"));
  EXPECT_TRUE(contains(svg, ">enc0</text>"));
  EXPECT_TRUE(contains(content_of(at("tape.dot")), "->"));

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
  EXPECT_TRUE(content_of(at("memory.svg")).starts_with("<svg xmlns="));

  const Outcome p = inspect({"profile", at("run"), "--step", "6", "--steps", "2", "--trace", at("trace.json")});
  ASSERT_EQ(p.code, 0) << p.err;
  for (const char* part : {"2 steps of", "forward", "backward", "optimiser", "backward conv, weight gradient", "GFLOP/s",
                           "GB/s", "of a copy's"})
    EXPECT_TRUE(contains(p.out, part));
  EXPECT_FALSE(contains(p.out, "layer: operation"));
  const Outcome layers = inspect({"profile", at("run"), "--step", "6", "--steps", "2", "--layers"});
  for (const char* part : {"layer: operation", "enc0.0: forward conv", "enc0.0: backward conv, weight gradient",
                           "up4.0: backward conv, data gradient", "up4: backward concat"})
    EXPECT_TRUE(contains(layers.out, part)) << layers.out;
  EXPECT_GT(Json::parse(content_of(at("trace.json")))["traceEvents"].size(), 100u);
  EXPECT_EQ(inspect({"profile", at("run")}).code, 2);  // nothing is left of it
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
  const std::string page = content_of(at("batch.html"));
  for (const char* part : {"<h2>Samples", "<h2>Student", "<h2>Teacher", "<h2>Patches", "<h2>Affinity graph",
                           "<h2>Hard negatives", "stroke-dasharray=\"5 4\"", "pseudo-labels", "singular values", "U Vᵀ"})
    EXPECT_TRUE(contains(page, part));

  trained_again("supervised");
  ASSERT_EQ(inspect({"batch", at("run"), "--html", at("batch.html")}).code, 0);
  const std::string plain = content_of(at("batch.html"));
  EXPECT_TRUE(contains(plain, "<h2>Student"));
  EXPECT_FALSE(contains(plain, "<h2>Teacher") || contains(plain, "<h2>Patches"));
}

TEST_F(Inspect, WatchWritesDownWhatTensorsHold) {
  const std::vector<std::string> watched = {"--set", "debug.watch=enc0.0/conv:*,head.w:grad@every=3,teacher.probabilities",
                                            "--set", "debug.watch_npy=true"};
  trained("mean-teacher", watched);
  const auto lines_of = [&](const char* folder) {
    std::vector<Json> lines;
    std::istringstream metrics(content_of(at(folder) / "metrics.jsonl"));
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
  const std::string npy = content_of(at("run") / "watch" / "step-0000007" / "enc0.0_conv_grad.npy");
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

}  // namespace
}  // namespace sagcl::tests
