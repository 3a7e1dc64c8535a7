#include <gtest/gtest.h>

#include <cmath>

#include "ops/selection.h"
#include "semiagcl/baselines/parts/stratified.h"
#include "tests/support/by_hand.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;

const Tensor like = Tensor::zeros({1});

TEST(Stratified, EveryStratumHasItsShare) {
  engine::Generator random(1, "places");
  for (const Drawing drawing : {Drawing::stratified, Drawing::antithetic}) {
    const Doubles u = places(3, 64, drawing, random, like).to_doubles();
    for (std::size_t i = 0; i < u.size(); ++i) {
      const double stratum = std::floor(double(i % 64) / 4);  // four in each
      EXPECT_GE(u[i], stratum / 16);
      EXPECT_LE(u[i], (stratum + 1) / 16);
    }
    EXPECT_NE(u[0], u[64]);
  }
}

TEST(Stratified, AntitheticPairsMirrorEachOther) {
  engine::Generator random(1, "places");
  const Doubles u = places(1, 64, Drawing::antithetic, random, like).to_doubles();
  for (std::size_t s = 0; s < 16; ++s)
    for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(u[4 * s + i] + u[4 * s + 2 + i], double(2 * s + 1) / 16, 1e-6);
  EXPECT_TRUE(throws<engine::UsageError>([&] { places(1, 48, Drawing::antithetic, random, like); }, "48"));
}

/// Variance over 400 repetitions of the mean of 32 drawn rows, row m of 1024 being worth m / 1024.
double variance_of_mean(Drawing drawing) {
  const Tensor weights = Tensor::full({1024, 1}, 1);
  double sum = 0, squares = 0;
  for (std::uint64_t t = 0; t < 400; ++t) {
    engine::Generator random(2, "places", t);
    double mean = 0;
    for (std::int32_t m : ops::draw_rows(weights, places(1, 32, drawing, random, weights)).to_vector<std::int32_t>())
      mean += double(m) / 1024 / 32;
    EXPECT_NEAR(mean, 0.5, drawing == Drawing::plain ? 0.25 : 0.03);
    sum += mean, squares += mean * mean;
  }
  return squares / 400 - sum * sum / (400.0 * 400.0);
}

TEST(Stratified, MeansVaryLess) {
  const double plain = variance_of_mean(Drawing::plain), stratified = variance_of_mean(Drawing::stratified);
  EXPECT_NEAR(plain, 1.0 / (12 * 32), 6e-4);                            // of a uniform number, over 32 draws
  EXPECT_NEAR(stratified, 1.0 / (12 * 256 * 32), 3e-6);                 // within a sixteenth
  EXPECT_LT(variance_of_mean(Drawing::antithetic), 0.05 * stratified);  // errors of a pair cancel
}

}  // namespace
}  // namespace sagcl::tests
