#include <gtest/gtest.h>

#include "ops/backend.h"
#include "ops/layout.h"
#include "tests/support/golden_case.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using autograd::Shape;
using autograd::Tape;
using autograd::Variable;
using engine::Dtype;

/// 0, 1, 2, … in order, so that results can be read.
Variable counting(const Shape& shape) {
  std::vector<float> values(std::size_t(shape.size()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = float(i);
  return Variable(Tensor::of(shape, values));
}

std::vector<float> values(const Variable& v) { return v.value().to_vector<float>(); }

TEST(Layout, GoldenConcat) {
  const Golden golden("ops_dense");
  for (const Precision& p : {Precision{Dtype::f64, 0}, Precision{Dtype::f32, 0}})
    for (const std::string name : {"concat_2", "concat_3", "concat_2d_c16"})
      expect_golden(
          golden, name,
          name == "concat_3" ? std::vector<std::string>{"x0", "x1", "x2"} : std::vector<std::string>{"x0", "x1"},
          [](const std::vector<Variable>& v) { return ops::concat(v, -1); }, p);
}

TEST(Layout, ConcatAndSliceByHand) {
  const Variable a(Tensor::of<float>({2, 2}, {1, 2, 3, 4})), b(Tensor::of<float>({2, 1}, {5, 6})),
      c(Tensor::of<float>({1, 2}, {7, 8}));
  EXPECT_EQ(values(ops::concat({a, b}, 1)), (std::vector<float>{1, 2, 5, 3, 4, 6}));
  EXPECT_EQ(values(ops::concat({a, c}, 0)), (std::vector<float>{1, 2, 3, 4, 7, 8}));
  EXPECT_EQ(values(ops::slice(a, 1, 1, 1)), (std::vector<float>{2, 4}));
  EXPECT_EQ(values(ops::slice(a, 0, 1, 1)), (std::vector<float>{3, 4}));
  EXPECT_EQ(ops::slice(a, 0, 1, 0).shape(), (Shape{0, 2}));
}

TEST(Layout, PadAndCropByHand) {
  const Variable x(Tensor::of<float>({1, 1, 2, 2, 1}, {1, 2, 3, 4}));
  const Variable padded = ops::pad(x, {{0, 1, 0}}, {{0, 0, 2}});
  EXPECT_EQ(padded.shape(), (Shape{1, 1, 3, 4, 1}));
  EXPECT_EQ(values(padded), (std::vector<float>{0, 0, 0, 0, 1, 2, 0, 0, 3, 4, 0, 0}));
  EXPECT_EQ(values(ops::crop(padded, {{0, 1, 0}}, {{1, 2, 2}})), values(x));
}

TEST(Layout, PatchesByHand) {
  // 0 1 | 2 3     four patches of 2x2, row by row
  // 4 5 | 6 7
  // ----+----
  // 8 9 | ...
  const Variable x = counting({1, 1, 4, 4, 1});
  const Variable y = ops::patches(x, {{1, 2, 2}});
  EXPECT_EQ(y.shape(), (Shape{4, 1, 2, 2, 1}));
  EXPECT_EQ(values(y), (std::vector<float>{0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15}));
}

TEST(Layout, PatchesOfSeveralImagesComeImageByImage) {
  const Variable x = counting({3, 2, 4, 6, 2}), y = ops::patches(x, {{2, 2, 3}});
  for (std::int64_t n = 0; n < 3; ++n) {
    const Variable alone = ops::patches(ops::slice(x, 0, n, 1), {{2, 2, 3}});
    EXPECT_EQ(values(ops::slice(y, 0, n * 12, 12)), values(alone));
  }
}

TEST(Layout, MovesEveryDtype) {
  for (Dtype d : {Dtype::f32, Dtype::f64, Dtype::i32, Dtype::u8}) {
    const Variable x(counting({1, 2, 2, 4, 1}).value().to(d));
    EXPECT_EQ(ops::patches(x, {{1, 1, 2}}).value().to_doubles(),
              (std::vector<double>{0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15}));
    EXPECT_EQ(ops::concat({x, x}, -1).value().to_doubles()[3], 1);
  }
}

TEST(Layout, ReshapeSharesMemory) {
  const Variable x = counting({2, 6});
  EXPECT_TRUE(ops::reshape(x, {3, 4}).value().shares_memory_with(x.value()));
}

TEST(Layout, RefusesWhatDoesNotFit) {
  const Variable a(Tensor::zeros({2, 3})), b(Tensor::zeros({3, 3})), volume(Tensor::zeros({1, 4, 4, 6, 2}));
  EXPECT_TRUE(throws<engine::ShapeError>(
      [&] {
        ops::concat({a, b}, 1);
      },
      "parts of shapes [2, 3] and [3, 3] may differ only along axis 1"));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { ops::concat({a, b}, 2); }, "concat: axis 2 of shape [2, 3]"));
  EXPECT_TRUE(throws<engine::UsageError>([&] { ops::concat({}, 0); }, "at least one part"));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { ops::slice(a, 1, 2, 2); }, "slice: [2, 4) of axis 1 of shape [2, 3]"));
  EXPECT_TRUE(throws<engine::ShapeError>(
      [&] {
        ops::patches(volume, {{1, 3, 1}});
      },
      "cannot be cut into 1x3x1 equal patches"));
  EXPECT_TRUE(throws<engine::ShapeError>(
      [&] {
        ops::crop(volume, {{3, 0, 0}}, {{2, 1, 1}});
      },
      "crop: 2x1x1 at 3x0x0 does not fit"));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { ops::pad(volume, {{-1, 0, 0}}, {}); }, "must not be negative"));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { ops::reshape(a, {4}); }, "[2, 3] has 6 elements, [4] has 4"));
}

}  // namespace
}  // namespace sagcl::tests
