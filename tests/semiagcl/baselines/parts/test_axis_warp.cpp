#include <gtest/gtest.h>

#include "semiagcl/baselines/parts/axis_warp.h"
#include "tests/support/by_hand.h"
#include "tests/support/golden.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;
using engine::Dtype;
using engine::Shape;

TEST(AxisWarp, MatricesByHand) {
  const AxisGrid grid = axis_grid(3, {});
  EXPECT_EQ(axis_matrix(grid, number(1), number(0)).to_doubles(), (Doubles{1, 0, 0, 0, 1, 0, 0, 0, 1}));
  EXPECT_EQ(axis_matrix(grid, number(1), number(1)).to_doubles(), (Doubles{0, 1, 0, 0, 0, 1, 0, 0, 0}));
  EXPECT_EQ(axis_matrix(grid, number(-1), number(0)).to_doubles(), (Doubles{0, 0, 1, 0, 1, 0, 1, 0, 0}));
  EXPECT_EQ(axis_matrix(grid, number(0.5), number(0)).to_doubles(), (Doubles{.5, .5, 0, 0, 1, 0, 0, .5, .5}));
}

TEST(AxisWarp, MovesEveryAxis) {
  const Shape s{2, 2, 3, 4, 2};
  const Tensor x = random_tensor(s, 1, Dtype::f32);
  // mirrored in depth, shifted by one in height, by minus one in width
  const AxisMatrices matrices{axis_matrix(axis_grid(2, {}), number(-1), number(0)),
                              axis_matrix(axis_grid(3, {}), number(1), number(1)),
                              axis_matrix(axis_grid(4, {}), number(1), number(-1))};
  const Tensor y = warped(x, matrices);
  ASSERT_EQ(y.shape(), s);
  const auto at = [&](const Tensor& t, std::int64_t n, std::int64_t d, std::int64_t h, std::int64_t w, std::int64_t c) {
    return h < 0 || h > 2 || w < 0 || w > 3 ? 0.0f : t.data<float>()[(((n * 2 + d) * 3 + h) * 4 + w) * 2 + c];
  };
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const std::int64_t c = i % 2, w = i / 2 % 4, h = i / 8 % 3, d = i / 24 % 2, n = i / 48;
    EXPECT_EQ(at(y, n, d, h, w, c), at(x, n, 1 - d, h + 1, w - 1, c)) << i;
  }
}

TEST(AxisWarp, DrawsZoomsAndShifts) {
  engine::Generator random(1, "warp");
  const AxisMatrices matrices = RandomAxisWarp({{1, 20, 40}}, {}).draw(random);
  EXPECT_FALSE(matrices[0].defined());
  for (std::size_t axis = 1; axis < 3; ++axis) {
    const std::int64_t E = axis == 1 ? 20 : 40;
    ASSERT_EQ(matrices[axis].shape(), (Shape{E, E}));
    double middle = 0, where = 0;  // the middle row interpolates: its weights sum to one
    for (std::int64_t j = 0; j < E; ++j) {
      const double a = double(matrices[axis].data<float>()[E / 2 * E + j]);
      middle += a, where += a * double(j);
    }
    EXPECT_NEAR(middle, 1, 1e-5);
    EXPECT_NEAR(where, double(E) / 2, 0.1 * double(E) + 0.2);
  }
}

}  // namespace
}  // namespace sagcl::tests
