#include <gtest/gtest.h>

#include <cmath>

#include "datasets/label_remedy.h"
#include "datasets/label_rule.h"
#include "tests/datasets/scratch.h"

// Stored values to classes: the rules, what is proposed when none fits, and values that headers or programs bent.
namespace sagcl::tests {
namespace {

using namespace sagcl::datasets;

StoredLabel reals(const std::vector<float>& values) { return {Tensor::of({1, 1, std::int64_t(values.size())}, values)}; }
StoredLabel wholes(const std::vector<std::int32_t>& values) {
  return {Tensor::of({1, 1, std::int64_t(values.size())}, values)};
}
std::vector<double> classes_of(const std::string& rule, const StoredLabel& stored, std::int64_t classes = 2) {
  return apply_rule(parse_label_rule(rule), stored, classes, "x").to_doubles();
}

TEST(LabelRule, MapThresholdIdentity) {
  const StoredLabel stored = wholes({0, 100, 128, 255});
  EXPECT_EQ(classes_of(">=128", stored), (std::vector<double>{0, 0, 1, 1}));
  EXPECT_EQ(classes_of("0:0,100:2,128:0,255:1", stored, 3), (std::vector<double>{0, 2, 0, 1}));
  EXPECT_EQ(classes_of("instances", stored), (std::vector<double>{0, 1, 1, 1}));
  expect_error([&] { apply_rule({}, stored, 255, "x"); }, {"1 of 4", "255 (1 times)"});  // 255 classes end at 254
}

TEST(LabelRule, NotAnnotatedVoxelsAreNoClass) {
  LabelRule rule;
  rule.ignored = 2;
  EXPECT_EQ(apply_rule(rule, wholes({0, 1, 2, 1}), 2, "x").to_doubles(), (std::vector<double>{0, 1, not_annotated, 1}));
  rule.map = {{0, 0}, {7, 1}}, rule.ignored = 9;
  EXPECT_EQ(apply_rule(rule, wholes({0, 7, 9}), 2, "x").to_doubles(), (std::vector<double>{0, 1, not_annotated}));
}

/// nibabel stores whole numbers with a scaling that gives them back only nearly.
TEST(LabelRule, RoundedByAHeadersScaling) {
  for (const std::vector<float>& values :
       {std::vector<float>{0, 1.0000153f, 2.0000305f}, {0, 0.99999994f, 2}, {0, 1.0039f, 2.0078f}}) {
    Remarks remarks;
    EXPECT_EQ(apply_rule({}, reals(values), 3, "x", &remarks).to_doubles(), (std::vector<double>{0, 1, 2}));
    EXPECT_FALSE(remarks.empty());
  }
  Remarks remarks;
  apply_rule({}, reals({0, 1, 2}), 3, "x", &remarks);
  EXPECT_TRUE(remarks.empty());
  EXPECT_EQ(classes_of("0:0,5:1", reals({0, 5.0001f})), (std::vector<double>{0, 1}));
  expect_error([] { classes_of("", reals({0, 0.995f, 1})); }, {"0.995"});  // two values near 1: not a scaling
  expect_error([] { classes_of("", reals({0, 0.9f})); }, {"0.9"});
}

TEST(LabelRule, AThresholdThatNothingReaches) {
  expect_error([] { classes_of(">=128", wholes({0, 1, 1})); }, {"0 and 1 alone", "threshold 128", "0:0,1:1"});
  expect_error([] { classes_of(">=128", wholes({1, 1})); }, {"x: holds 1 alone"});
  EXPECT_EQ(classes_of(">=128", wholes({0, 0})), (std::vector<double>{0, 0}));           // an empty mask
  EXPECT_EQ(classes_of(">=128", wholes({0, 60, 100})), (std::vector<double>{0, 0, 0}));  // the edge of something small
}

/// The rule that an error proposes reads the mask as it says.
TEST(LabelRule, ProposalsCanBeFollowed) {
  const struct {
    StoredLabel stored;
    std::string rule;
    std::vector<double> classes;
  } cases[] = {
      {reals({0, 0, 0, 0.2f, 0.6f, 1, 1, 1}), "cut:0.5", {0, 0, 0, 0, 1, 1, 1, 1}},  // resampled
      {reals({0.1f, 0.1f, 0.9f, 0.45f}), "cut:0.5", {0, 0, 1, 0}},                   // probabilities
      {reals({0, 0, 0, 3.5f, 7, 7, 7, 3.4f}), "cut:3.5", {0, 0, 0, 1, 1, 1, 1, 0}},  // largest value 7
      {wholes({0, 0, 0, 127, 128, 255, 255}), "cut:128", {0, 0, 0, 0, 1, 1, 1}},     // anti-aliased
      {wholes({0, 255, 255}), "0:0,255:1", {0, 1, 1}},
      {wholes({0, 3, 9, 20, 21, 22, 23, 24, 25, 26, 700}), "instances", {0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.rule);
    EXPECT_EQ(proposed_rule(count_values(c.stored.values), 2), c.rule);
    expect_error([&] { classes_of("", c.stored); }, {"x: ", "data.label_map=" + c.rule, "--label-map " + c.rule});
    EXPECT_EQ(classes_of(c.rule, c.stored), c.classes);
  }
}

/// No rule is proposed that makes one class of several.
TEST(LabelRule, ProposalsDestroyNoClass) {
  std::vector<float> organs(100, 1), fewer;
  organs.resize(200, 2), organs.resize(300, 0);
  fewer = organs;
  organs[0] = 0.4f;
  expect_error([&] { classes_of("", reals(organs), 3); },
               {"x: 1 of 300 label voxels", "0.4 (1 times); the first at x 0, y 0, z 0", "nearest neighbour"});
  EXPECT_EQ(proposed_rule(count_values(reals(organs).values), 2), "");
  EXPECT_EQ(proposed_rule(count_values(reals(fewer).values), 2), "");
  expect_error([&] { classes_of("", reals(fewer)); }, {"the first at x 100", "more classes than the 2 that are named",
                                                       "name them all in \"labels\" of dataset.json"});
  expect_error([&] { classes_of("", wholes({0, 1, 2, 4}), 4); }, {"4 (1 times)", "--label-map 0:0,1:1,2:2,4:3"});  // BraTS
  const StoredLabel grey = wholes({0, 127, 127, 255}), negative = wholes({-1, 0, 1});
  expect_error([&] { classes_of("", grey); }, {"each is a class of its own", "--label-map 0:0,127:1,255:2"});
  expect_error([&] { classes_of("", negative, 3); }, {"-1 (1 times)", "--label-map 0:0,-1:0,1:1,2:2"});
  EXPECT_EQ(classes_of("0:0,-1:0,1:1,2:2", negative, 3), (std::vector<double>{0, 0, 1}));
  StoredLabel places = wholes({0, 0, 0, 0, 0, 7, 0, 0});
  places.values = places.values.reshape({2, 2, 2});
  expect_error([&] { classes_of("0:0,1:1", places); }, {"the first at x 1, y 0, z 1"});
}

/// Where nothing says how many classes there are.
TEST(LabelRule, TheHighestClassOfALabel) {
  const auto highest = [](const StoredLabel& stored) { return highest_class(stored, 3, 64, "x"); };
  EXPECT_EQ(highest(wholes({0, 2, 1, 3})), 2);  // 3 marks what nobody annotated
  EXPECT_EQ(highest(reals({0, 1.000015f, 2})), 2);
  EXPECT_EQ(highest(wholes({0, 0})), 0);
  expect_error([&] { highest(wholes({0, 255})); }, {"no class", "0 to 63", "255 (1 times)", "0:0,255:1"});
  expect_error([&] { highest(wholes({-1, 0, 1})); }, {"0:0,-1:0,1:1"});
  expect_error([&] { highest(reals({0, NAN})); }, {"1 voxels that are not a number"});
}

TEST(LabelRule, Forms) {
  EXPECT_EQ(parse_label_rule(">=0.5").threshold, 0.5);
  EXPECT_EQ(parse_label_rule("cut:0.5"), parse_label_rule(">=0.5"));
  EXPECT_EQ(parse_label_rule("255:1").map, (std::map<std::int64_t, std::int64_t>{{0, 0}, {255, 1}}));
  for (const char* wrong :
       {"cut:", "cut:0", ">=0", ">=-1", ">=", ">=nan", "0:0,5:1,", "a:1", "1:x", "0:300", "1:1,1:0", "two"})
    expect_error<engine::UsageError>([&] { parse_label_rule(wrong); }, {std::string("label map '") + wrong + "'"});
}

}  // namespace
}  // namespace sagcl::tests
