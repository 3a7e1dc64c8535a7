#include <gtest/gtest.h>

#include "engine/random.h"
#include "ops/dropout.h"
#include "ops/reduce.h"
#include "tests/support/golden_case.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using autograd::Tape;
using autograd::Variable;
using engine::Dtype;

const engine::RandomKey key = engine::Generator(3, "dropout test").next_key();

TEST(Dropout, FollowsItsDefinition) {
  // sizes around multiples of four and of vectors: one call of the random function serves four elements
  for (Dtype d : {Dtype::f32, Dtype::f64})
    for (std::int64_t n : {1, 2, 3, 4, 5, 63, 64, 65, 1027}) {
      const std::vector<double> y = ops::dropout(Variable(Tensor::full({n}, 3, d)), 0.25, key).value().to_doubles();
      for (std::int64_t i = 0; i < n; ++i) {
        const bool kept = engine::unit(key.word(std::uint64_t(i))) >= 0.25f;
        EXPECT_NEAR(y[std::size_t(i)], kept ? 4 : 0, 1e-6) << i;
      }
    }
}

TEST(Dropout, KeepsTheMeanAndMasksTheGradientAlike) {
  Variable x = Variable::parameter(Tensor::full({100000}, 1));
  Tape tape;
  const Variable y = ops::dropout(x, 0.4, key);
  EXPECT_NEAR(ops::mean(y).value().item(), 1, 0.01);
  tape.backward(ops::sum(y));
  EXPECT_TRUE(identical(x.grad(), y.value()));  // for x = 1 both are mask / (1 - p)
}

TEST(Dropout, ZeroKeepsEverything) {
  const Tensor x = random_tensor({1000}, 1, Dtype::f32);
  EXPECT_TRUE(identical(ops::dropout(Variable(x), 0, key).value(), x));
}

TEST(Dropout, ChannelsLiveOrDieTogether) {
  // many rows, and columns around those of a vector: what a wide row leaves over, and more than one piece of work
  const std::int64_t N = 3, V = 4099;
  for (Dtype d : {Dtype::f32, Dtype::f64})
    for (std::int64_t C : {1, 3, 16, 40}) {
      const std::vector<double> y =
          ops::channel_dropout(Variable(Tensor::full({N, V, C}, 1, d)), 0.5, key).value().to_doubles();
      for (std::int64_t n = 0; n < N; ++n)
        for (std::int64_t c = 0; c < C; ++c) {
          const double kept = engine::unit(key.word(std::uint64_t(n * C + c))) >= 0.5f ? 2 : 0;
          for (std::int64_t v = 0; v < V; ++v) ASSERT_EQ(y[std::size_t((n * V + v) * C + c)], kept) << C;
        }
    }
}

TEST(Dropout, RefusesImpossibleProbabilities) {
  const Variable x(Tensor::zeros({4}));
  EXPECT_TRUE(throws<engine::UsageError>([&] { ops::dropout(x, 1, key); }, "dropout: p must lie in [0, 1), got 1"));
  EXPECT_TRUE(throws<engine::UsageError>([&] { ops::channel_dropout(x, -0.5, key); }, "got -0.5"));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { ops::channel_dropout(x, 0.5, key); }, "should be [N, .., C]"));
}

}  // namespace
}  // namespace sagcl::tests
