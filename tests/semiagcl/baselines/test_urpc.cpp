#include <gtest/gtest.h>

#include "autograd/gradcheck.h"
#include "semiagcl/baselines/urpc.h"
#include "tests/support/golden.h"

using namespace sagcl;
using namespace sagcl::semiagcl;
using engine::Dtype;
using Doubles = std::vector<double>;

namespace {
Variable scores(std::int64_t classes, const Doubles& z) {
  return Variable(Tensor::of({1, 1, 1, std::int64_t(z.size()) / classes, classes}, z));
}
}  // namespace

/// Values of the definition in numpy.
TEST(Urpc, RectifiedConsistencyByHand) {
  EXPECT_NEAR(rectified_consistency({scores(2, {0, 0, 1, 0}), scores(2, {1, -1, 0, 2})}).value().item(), 0.23858884604276542,
              1e-14);
  EXPECT_NEAR(
      rectified_consistency({scores(3, {0, 1, 2, 2, 0, -1}), scores(3, {1, 1, 0, 3, 0, 0}), scores(3, {0, 0, 0, -1, 1, 0})})
          .value()
          .item(),
      0.32799289451364616, 1e-14);
  EXPECT_NEAR(rectified_consistency({scores(2, {3, 1}), scores(2, {5, 3})}).value().item(), 0, 1e-15);  // they agree
}

/// Through the average, too: nothing in it is a constant.
TEST(Urpc, RectifiedConsistencyGradcheck) {
  std::vector<Tensor> z;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) z.push_back(tests::random_tensor({2, 1, 2, 2, 3}, seed));
  const auto result = autograd::gradcheck(rectified_consistency, z);
  EXPECT_TRUE(result.passed) << result.text();
}

TEST(Urpc, ProbabilitiesOfZeroGiveFiniteGradients) {
  const Variable a = Variable::parameter(Tensor::of({1, 1, 1, 1, 2}, std::vector<float>{200, -200}));
  const Variable b = Variable::parameter(Tensor::of({1, 1, 1, 1, 2}, std::vector<float>{190, -200}));
  autograd::Tape tape;
  const Variable loss = rectified_consistency({a, b});
  EXPECT_EQ(loss.value().item(), 0);
  tape.backward(loss);
  for (const Variable& z : {a, b})
    for (double g : z.grad().to_doubles()) EXPECT_EQ(g, 0);
}

TEST(Urpc, FeatureDropoutTakesWhatIsAttendedMost) {
  // means over the two channels: 1, 2, 3, 4 in the first image, −1, −2, −3, −4 in the second, 0, 8, 0, 4 in the third
  const Tensor x = Tensor::of({3, 1, 2, 2, 2}, Doubles{0,  2,  2,  2,  5,  1,  4, 4,   //
                                                       -1, -1, -2, -2, -3, -3, 0, -8,  //
                                                       1,  -1, 8,  8,  0,  0,  3, 5});
  const Tensor share = Tensor::full({1}, 0.74, Dtype::f64);
  EXPECT_EQ(feature_dropout(Variable(x), share).value().to_doubles(), (Doubles{0,  2,  2,  2,  0,  0,  0, 0,   //
                                                                               -1, -1, -2, -2, -3, -3, 0, -8,  //
                                                                               1,  -1, 0,  0,  0,  0,  3, 5}));
}

TEST(Urpc, HeadsSeeTheirStagesDisturbed) {
  for (const bool flat : {false, true}) {
    engine::Generator weights(1, "weights");
    const PyramidHeads heads(flat, {.classes = 3, .width = 2}, weights);
    std::vector<Variable> decoder;
    for (std::int64_t l = 3; l >= 0; --l)
      decoder.emplace_back(
          tests::random_tensor({2, flat ? 1 : 16 >> l, 16 >> l, 32 >> l, std::int64_t(2) << l}, 1, Dtype::f32));
    engine::Generator first(1, "a"), same(1, "a"), other(2, "a");
    const std::vector<Variable> a = heads.forward(decoder, first), b = heads.forward(decoder, same),
                                c = heads.forward(decoder, other);
    ASSERT_EQ(a.size(), 3u);
    for (std::size_t l = 0; l < 3; ++l) {
      EXPECT_EQ(a[l].shape(), (engine::Shape{2, flat ? 1 : 16, 16, 32, 3}));
      EXPECT_TRUE(tests::identical(a[l].value(), b[l].value()));
      EXPECT_FALSE(tests::identical(a[l].value(), c[l].value())) << l;
    }
  }
}

TEST(Urpc, HasTheParametersOfTheReleasedNetwork) {
  const auto extra = [](const char* network, std::int64_t classes) {
    RunSettings s;
    s.network.name = network;
    UncertaintyRectifiedPyramid method(s, {.classes = classes}, {});
    return layers::count_parameters(*method.modules().front().second);
  };
  // The released network registers one more head, of the bottleneck (256 · 9 · 4 + 4 parameters), and never uses it.
  EXPECT_EQ(1813764 + extra("unet", 4) + 9220, 1831060);
  EXPECT_EQ(extra("vnet", 2), 2 * (32 + 64 + 128) + 3 * 2);
}
