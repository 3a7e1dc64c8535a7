#include <cmath>

#include "tests/tools/tools_support.h"
#include "tools/evaluate/evaluation.h"

using namespace sagcl;
using engine::Tensor;
using tests::box;
using tests::contains;
using tools::Evaluation;

namespace {

Evaluation with_classes(std::vector<std::string> names, const std::string& unit = "voxel") {
  Evaluation e;
  e.unit = unit, e.classes = std::move(names);
  return e;
}

const std::array<double, 3> unit_spacing = {1, 1, 1};

}  // namespace

// Figures by scipy for A = [3:9, 4:12], B = [5:12, 2:10] in a 16 x 16 image.
TEST(Evaluation, OfTwoRectangles) {
  Evaluation e = with_classes({"gland"});
  tools::add_case(e, "one", box({1, 16, 16}, {0, 3, 4}, {1, 9, 12}), box({1, 16, 16}, {0, 5, 2}, {1, 12, 10}), unit_spacing);
  tools::summarise(e);
  const semiagcl::Agreement& s = e.cases[0].classes[0].scores;
  EXPECT_NEAR(s.dice, 0.461538, 1e-6);
  EXPECT_NEAR(s.jaccard, 0.300000, 1e-6);
  EXPECT_NEAR(s.hd95, 3.000000, 1e-6);
  EXPECT_NEAR(s.asd, 1.804190, 1e-6);
  EXPECT_EQ(e.cases[0].classes[0].status, "ok");
  EXPECT_EQ(e.foreground_mean.dice, s.dice);
}

TEST(Evaluation, MillimetresScaleDistancesOnly) {
  const Tensor a = box({4, 4, 8}, {1, 1, 1}, {3, 3, 3}), b = box({4, 4, 8}, {1, 1, 3}, {3, 3, 5});
  Evaluation voxel = with_classes({"x"}), mm = with_classes({"x"}, "mm");
  tools::add_case(voxel, "c", a, b, {2, 2, 2});
  tools::add_case(mm, "c", a, b, {2, 2, 2});
  EXPECT_DOUBLE_EQ(mm.cases[0].classes[0].scores.hd95, 2 * voxel.cases[0].classes[0].scores.hd95);
  EXPECT_DOUBLE_EQ(mm.cases[0].classes[0].scores.dice, voxel.cases[0].classes[0].scores.dice);
}

TEST(Evaluation, EmptyMasksAreCountedAndDoNotFlatterDistances) {
  Evaluation e = with_classes({"a", "b"});
  const engine::Shape s{4, 6, 6};
  Tensor truth = box(s, {1, 1, 1}, {3, 3, 3}, 1);                                          // only class 1
  tools::add_case(e, "right", truth, truth, unit_spacing);                                 // b: both empty
  tools::add_case(e, "missed", Tensor::zeros(s, engine::Dtype::u8), truth, unit_spacing);  // a: nothing predicted
  tools::add_case(e, "invented", box(s, {1, 1, 1}, {3, 3, 3}, 2), truth, unit_spacing);    // b: not in the truth
  tools::summarise(e);
  EXPECT_EQ(e.cases[0].classes[1].status, "both_empty");
  EXPECT_EQ(e.cases[1].classes[0].status, "empty_prediction");
  EXPECT_EQ(e.cases[2].classes[1].status, "empty_reference");
  EXPECT_EQ(e.empty_predictions, 2);
  EXPECT_NEAR(e.mean[0].dice, 1.0 / 3, 1e-12);  // 1, 0, 0
  EXPECT_NEAR(e.mean[1].dice, 2.0 / 3, 1e-12);  // both empty counts 1
  EXPECT_EQ(tools::dice_per_class(truth, truth, 2), (std::vector<double>{1, 1}));
  EXPECT_EQ(tools::dice_per_class(box(s, {1, 1, 1}, {3, 3, 3}, 2), truth, 2), (std::vector<double>{0, 0}));
  EXPECT_EQ(e.mean[0].hd95, 0);  // over the one case that has a distance
  EXPECT_TRUE(std::isnan(e.mean[1].hd95));
  EXPECT_EQ(e.by_dice().front(), 2u);
  EXPECT_EQ(e.by_dice().back(), 0u);
}

TEST(Evaluation, AClassThatNoMaskHoldsDoesNotLiftTheMean) {
  Evaluation e = with_classes({"a", "b", "c"});
  const engine::Shape s{4, 6, 6};
  const Tensor truth = box(s, {1, 1, 1}, {3, 3, 3}, 1);
  tools::add_case(e, "one", Tensor::zeros(s, engine::Dtype::u8), truth, unit_spacing);
  tools::add_case(e, "two", truth, box(s, {1, 1, 1}, {3, 3, 3}, 2), unit_spacing);
  tools::summarise(e);
  EXPECT_FALSE(e.in_no_mask(0) || e.in_no_mask(1));
  EXPECT_TRUE(e.in_no_mask(2));
  EXPECT_EQ(e.mean[2].dice, 1);
  EXPECT_EQ(e.foreground_mean.dice, (e.mean[0].dice + e.mean[1].dice) / 2);
  EXPECT_TRUE(contains(tools::to_text(e), "in no mask"));
}

TEST(Evaluation, SurvivesItsFile) {
  Evaluation e = with_classes({"anterior", "posterior"});
  const Tensor truth = box({4, 6, 6}, {1, 1, 1}, {3, 4, 4}, 1);
  tools::add_case(e, "la_\"1\"", truth, truth, unit_spacing);
  tools::add_case(e, "la_2", Tensor::zeros({4, 6, 6}, engine::Dtype::u8), truth, unit_spacing);
  tools::summarise(e);
  const std::string json = tools::to_json(e);
  const Evaluation back = tools::parse_evaluation(json, "x.json");
  EXPECT_EQ(tools::to_json(back), json);
  EXPECT_EQ(back.cases[0].id, "la_\"1\"");
  EXPECT_TRUE(contains(json, "\"hd95\": null"));
  EXPECT_TRUE(contains(tools::to_text(back), "empty predictions: 1"));
}

TEST(Evaluation, RefusesFilesThatAreNotOne) {
  const auto message = [](const std::string& text) {
    try {
      tools::parse_evaluation(text, "f.json");
    } catch (const engine::DataError& e) { return std::string(e.what()); }
    return std::string("accepted");
  };
  EXPECT_TRUE(contains(message("{"), "f.json: this is not a JSON object"));
  EXPECT_TRUE(contains(message("{}"), "'schema_version' is missing"));
  EXPECT_TRUE(contains(message(R"({"schema_version":2})"), "this program reads 1"));
  EXPECT_TRUE(contains(message(R"({"schema_version":1,"unit":3})"), "'unit' must be text"));
  EXPECT_TRUE(contains(message(R"({"schema_version":1,"unit":"mm","classes":["a"],"cases":[{"id":"x","classes":[]}]})"),
                       "case x has 0 classes"));
}

TEST(Evaluation, RefusesMasksOfOtherExtents) {
  Evaluation e = with_classes({"a"});
  EXPECT_THROW(
      tools::add_case(e, "c", box({1, 4, 4}, {0, 0, 0}, {1, 1, 1}), box({1, 4, 5}, {0, 0, 0}, {1, 1, 1}), unit_spacing),
      engine::ShapeError);
}
