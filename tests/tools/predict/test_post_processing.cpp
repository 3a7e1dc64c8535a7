#include <nlohmann/json.hpp>

#include "datasets/formats/formats.h"
#include "tests/tools/predict/prediction_support.h"
#include "tools/evaluate/post_processing.h"

// Which components of a mask are left out: chosen by sagcl-eval, done by sagcl-predict.
using namespace sagcl;
using engine::Tensor;
using tests::contains;
using tests::expect_error;
using tests::Folders;
using tests::run;

namespace {

constexpr std::uint8_t one = 1, two = 2;

void put_box(Tensor& mask, std::vector<std::int64_t> from, std::vector<std::int64_t> to, std::uint8_t k) {
  const Tensor box = tests::box(mask.shape(), std::move(from), std::move(to), k);
  for (std::int64_t i = 0; i < mask.size(); ++i)
    if (box.data<std::uint8_t>()[i]) mask.data<std::uint8_t>()[i] = k;
}

/// Class 1 is one region, class 2 two of them.
Tensor truth() {
  Tensor t = Tensor::zeros({8, 16, 16}, engine::Dtype::u8);
  put_box(t, {1, 1, 1}, {5, 6, 6}, one);
  put_box(t, {1, 9, 1}, {5, 14, 5}, two), put_box(t, {1, 9, 9}, {5, 14, 13}, two);
  return t;
}

/// The same with a second region of class 1, of 48 voxels, and a speck of class 2.
Tensor prediction() {
  Tensor p = truth();
  put_box(p, {1, 1, 11}, {4, 5, 15}, one), put_box(p, {6, 6, 6}, {7, 7, 8}, two);
  return p;
}

tools::PostProcessingChoice choice() {
  tools::PostProcessingChoice c({"one", "two"});
  c.add(prediction(), truth());
  c.add(truth(), truth());
  return c;
}

}  // namespace

TEST(PostProcessing, EachClassGetsTheRuleThatHelpsIt) {
  const tools::PostProcessing best = choice().best();
  EXPECT_EQ(best.rules[0], (tools::ComponentRule{.largest = true}));
  EXPECT_EQ(best.rules[1], (tools::ComponentRule{.smallest = 10}));  // two regions: the largest alone would harm
  EXPECT_TRUE(tests::identical(best.apply(prediction()), truth()));
  EXPECT_TRUE(contains(choice().text(), "no component below 10 voxels"));

  tools::PostProcessingChoice nothing({"one", "two"});
  nothing.add(truth(), truth());
  EXPECT_EQ(nothing.best().rules[0], tools::ComponentRule{});  // what does not gain is not done
}

TEST(PostProcessing, IsReadAsItWasWritten) {
  Folders f;
  choice().write(f("p.json"));
  const tools::PostProcessing p = tools::read_post_processing(f("p.json"));
  EXPECT_EQ(p.classes, choice().best().classes);
  EXPECT_EQ(p.rules, choice().best().rules);
  for (const char* wrong : {"{", "{}", R"({"classes":["a"],"rules":[]})", R"({"classes":["a"],"rules":[{"largest":1}]})"}) {
    tests::put(f("w.json"), wrong);
    expect_error<engine::DataError>([&] { tools::read_post_processing(f("w.json")); }, {"w.json"});
  }
}

TEST(PostProcessing, TheProgramsChooseItAndUseIt) {
  Folders f;
  datasets::write_nifti(f("pred/a.nii.gz"), prediction(), {});
  datasets::write_nifti(f("ref/a.nii.gz"), truth(), {});
  const auto chosen =
      run("sagcl-eval", {"--pred", f("pred"), "--ref", f("ref"), "--names", "a,b", "--choose-post-processing", f("p.json")});
  ASSERT_EQ(chosen.code, 0) << chosen.err;
  EXPECT_TRUE(contains(chosen.out, "largest component"));

  tests::write_volume(f("images/v.nii.gz"));
  tests::write_checkpoint(f("c"), {.network = "vnet", .seed = 3});  // classes a and b, both somewhere
  const auto predict = [&](const std::string& out, std::vector<std::string> more) {
    more.insert(more.end(), {"--checkpoint", f("c"), "--input", f("images"), "--output", f(out), "--device", "cpu"});
    return run("sagcl-predict", more);
  };
  ASSERT_EQ(predict("plain", {}).code, 0);
  const auto done = predict("done", {"--post-processing", f("p.json")});
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_TRUE(contains(done.err, "post-processing of a: largest component"));
  const auto mask = [&](const char* folder) {
    return datasets::read_image(f(folder) + "/v.nii.gz").voxels.to(engine::Dtype::u8).reshape({17, 9, 20});
  };
  EXPECT_TRUE(tests::identical(mask("done"), tools::read_post_processing(f("p.json")).apply(mask("plain"))));
  tests::put(f("all.json"),
             R"({"classes":["a","b"],"rules":[{"largest":false,"smallest":1000000},{"largest":false,"smallest":1000000}]})");
  ASSERT_EQ(predict("gone", {"--post-processing", f("all.json")}).code, 0);
  EXPECT_TRUE(tests::identical(mask("gone"), Tensor::zeros({17, 9, 20}, engine::Dtype::u8)));
  EXPECT_FALSE(tests::identical(mask("gone"), mask("plain")));

  const auto unnamed = run("sagcl-eval", {"--pred", f("pred"), "--ref", f("ref"), "--choose-post-processing", f("q.json")});
  ASSERT_EQ(unnamed.code, 0);
  const auto refused = predict("refused", {"--post-processing", f("q.json")});
  EXPECT_EQ(refused.code, 2);
  EXPECT_TRUE(contains(refused.err, "is for the classes 1, 2, the network has a, b"));
}
