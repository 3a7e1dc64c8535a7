#include <gtest/gtest.h>

#include "tests/support/golden.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using engine::Device;
using engine::Dtype;
using engine::Shape;

TEST(Shape, CountsAndPrints) {
  const Shape s{2, 3, 4};
  EXPECT_EQ(s.size(), 24);
  EXPECT_EQ(s[-1], 4);
  EXPECT_EQ(s.with(-1, 5), (Shape{2, 3, 5}));
  EXPECT_EQ(to_string(s), "[2, 3, 4]");
  EXPECT_EQ(Shape{}.size(), 1);  // a scalar
  EXPECT_EQ((Shape{3, 0}).size(), 0);
}

TEST(Shape, RefusesTheImpossible) {
  EXPECT_TRUE(throws<engine::ShapeError>([] { Shape{1, 1, 1, 1, 1, 1, 1}; }, "7 axes, at most 6"));
  EXPECT_TRUE(throws<engine::ShapeError>([] { Shape{2, -1}; }, "negative extent -1"));
  EXPECT_TRUE(throws<engine::ShapeError>([] { (void)Shape{1LL << 40, 1LL << 40}.size(); }, "too many elements"));
}

TEST(Tensor, CopiesShareAndClonesDoNot) {
  Tensor a = Tensor::of<float>({3}, {1, 2, 3});
  EXPECT_TRUE(a.sole_owner());
  const Tensor b = a, c = a.clone(), d = a.reshape({3, 1});
  EXPECT_FALSE(a.sole_owner());
  a.data<float>()[0] = 7;
  EXPECT_EQ(b.to_vector<float>()[0], 7);
  EXPECT_EQ(d.to_vector<float>()[0], 7);
  EXPECT_EQ(c.to_vector<float>()[0], 1);
}

TEST(Tensor, APartSharesTheMemoryOfTheWhole) {
  Tensor whole = Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  Tensor part = whole.part(2, {2, 2});
  part.data<float>()[1] = 40;
  EXPECT_EQ(whole.to_vector<float>(), (std::vector<float>{1, 2, 3, 40, 5, 6}));
  EXPECT_FALSE(part.sole_owner());
  EXPECT_FALSE(whole.sole_owner());
  whole = Tensor();
  EXPECT_EQ(part.to_vector<float>(), (std::vector<float>{3, 40, 5, 6}));
  EXPECT_EQ(part.clone().to_vector<float>(), part.to_vector<float>());
  EXPECT_TRUE(throws<engine::ShapeError>([&] { part.part(3, {2}); }, "[2] from element 3 on does not lie in [2, 2]"));
  EXPECT_TRUE(throws<engine::UsageError>([] { Tensor().part(0, {1}); }, "part"));
}

TEST(Tensor, ConvertsBetweenDtypes) {
  const Tensor x = Tensor::of<double>({3}, {0, 1.5, 200});
  EXPECT_EQ(x.to(Dtype::f32).to_vector<float>(), (std::vector<float>{0, 1.5, 200}));
  EXPECT_EQ(x.to(Dtype::u8).to_vector<std::uint8_t>(), (std::vector<std::uint8_t>{0, 1, 200}));
  EXPECT_TRUE(x.to(Dtype::f64).shares_memory_with(x));
  EXPECT_EQ(Tensor::full({2}, -3, Dtype::i32).to_doubles(), (std::vector<double>{-3, -3}));
}

TEST(Tensor, RefusesMisuse) {
  const Tensor x = Tensor::zeros({2, 3});
  EXPECT_TRUE(throws<engine::DtypeError>([&] { (void)x.data<double>(); }, "holds f32, asked for f64"));
  EXPECT_TRUE(
      throws<engine::ShapeError>([&] { (void)x.item(); }, "item() needs exactly one element, the tensor has shape [2, 3]"));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { (void)x.reshape({5}); }, "[2, 3] has 6 elements, [5] has 5"));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { Tensor::of<float>({4}, {1, 2}); }, "needs 4 values, got 2"));
  EXPECT_TRUE(throws<engine::UsageError>([] { (void)Tensor().data<float>(); }, "undefined tensor"));
  EXPECT_TRUE(throws<engine::DeviceError>([] { Tensor::zeros({1}, Dtype::f32, Device::cuda(9)); },
                                          "device cuda:9 is not available"));
}

TEST(Tensor, PrintsWhatMatters) {
  EXPECT_EQ(to_string(Tensor::of<float>({3}, {1, 2, 3})), "tensor f32 [3] on cpu: min 1 max 3 mean 2, 0 NaN, 0 Inf = 1 2 3");
  EXPECT_NE(to_string(Tensor::of<float>({2}, {0.0f / 0.0f, 1.0f})).find("1 NaN"), std::string::npos);
}

}  // namespace
}  // namespace sagcl::tests
