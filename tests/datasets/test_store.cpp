#include "datasets/store.h"

#include <gtest/gtest.h>

#include "datasets/layouts/layouts.h"
#include "datasets/phantom.h"
#include "tests/datasets/scratch.h"

namespace sagcl::tests {
namespace {

using namespace sagcl::datasets;

TEST(Store, LoadsNormalisedAndHidesLabels) {
  Scratch scratch;
  write_phantoms(scratch.path(), {.extents = {{4, 5, 6}}}, 2, 1, 0);
  const Dataset d = open_dataset(scratch.path());
  const auto seen = load_samples(d, {"phantom_001", "phantom_000"}, Normalisation::z_score, true);
  EXPECT_EQ(seen[0].id, "phantom_001");
  EXPECT_TRUE(seen[0].label.defined());
  double mean = 0, squares = 0;
  for (double v : seen[1].image.to_doubles()) mean += v / 120, squares += v * v / 120;
  EXPECT_NEAR(mean, 0, 1e-6);
  EXPECT_NEAR(squares, 1, 1e-5);
  EXPECT_FALSE(load_samples(d, {"phantom_000"}, Normalisation::none, false)[0].label.defined());
  expect_error([&] { load_samples(d, {"phantom_002"}, Normalisation::none, true); }, {"phantom_002", "no label"});
  EXPECT_EQ(seen[0].bytes(), 120u * 5);
}

}  // namespace
}  // namespace sagcl::tests
