#include <gtest/gtest.h>

#include "datasets/normalise.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using namespace sagcl::datasets;
using engine::Tensor;

TEST(Normalise, EachRule) {
  const Tensor x = Tensor::of<float>({1, 1, 2, 2}, {0, 10, 4, 30});  // channels (0, 4) and (10, 30)
  const auto get = [&](const char* name) { return normalise(x, normalisation_named(name)).to_doubles(); };
  EXPECT_EQ(get("none"), x.to_doubles());
  EXPECT_EQ(get("z_score"), (std::vector<double>{-1, -1, 1, 1}));
  EXPECT_EQ(get("min_max"), (std::vector<double>{0, 0, 1, 1}));
  EXPECT_NEAR(get("unit")[3], 30 / 255.0, 1e-7);
  EXPECT_EQ(normalise(Tensor::full({1, 1, 2, 1}, 5), Normalisation::min_max).to_doubles(), (std::vector<double>{0, 0}));
  EXPECT_EQ(normalise(Tensor::full({1, 1, 2, 1}, 5), Normalisation::z_score).to_doubles(), (std::vector<double>{0, 0}));
  EXPECT_THROW(normalisation_named("zscore"), engine::UsageError);
  EXPECT_EQ(normalise(x, normalisation_named("window", {1, 10, 4, 2})).to_doubles(), (std::vector<double>{-1.5, 3, 0, 3}));
  for (const std::vector<double>& wrong : std::vector<std::vector<double>>{{}, {0, 1, 0}, {1, 1, 0, 1}, {0, 1, 0, 0}})
    EXPECT_TRUE(throws<engine::UsageError>([&] { normalisation_named("window", wrong); }, "[low, high, mean, deviation]"));
  EXPECT_TRUE(throws<engine::UsageError>(
      [&] {
        normalisation_named("z_score", {0, 1, 0, 1});
      },
      "is for data.normalise = window"));

  Tensor mine = x.clone();
  const float* const where = mine.data<float>();
  EXPECT_EQ(normalise(std::move(mine), Normalisation::unit).data<float>(), where);  // a volume need not be in memory twice
  EXPECT_TRUE(throws<engine::DataError>(
      [] {
        normalise(Tensor::full({1, 1, 2, 1}, 300), Normalisation::unit, 255, "ct.nii.gz");
      },
      "ct.nii.gz: holds values from 300 to 300, but data.normalise = unit takes 0 (black) to 255"));
  EXPECT_TRUE(throws<engine::DataError>(
      [] {
        normalise(Tensor::full({1, 1, 2, 1}, -1), Normalisation::unit);
      },
      "from -1 to -1"));
  EXPECT_EQ(x.to_doubles(), (std::vector<double>{0, 10, 4, 30}));  // one that others hold stays as it is
}

}  // namespace
}  // namespace sagcl::tests
