#include <gtest/gtest.h>

#include <cmath>

#include "ops/softmax.h"
#include "tests/support/golden_case.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using autograd::Variable;
using engine::Dtype;

TEST(Softmax, Golden) {
  const Golden golden("ops_pointwise");
  for (const Precision& p : {Precision{Dtype::f64, 1e-12}, Precision{Dtype::f32, 1e-5}})
    for (const std::string& name : golden.cases())
      if (name.find("softmax") != std::string::npos)
        expect_golden(
            golden, name, {"x"},
            [&](const std::vector<Variable>& v) {
              return name.starts_with("log") ? ops::log_softmax(v[0]) : ops::softmax(v[0]);
            },
            p);
}

TEST(Softmax, ByHand) {
  const Variable x(Tensor::of<double>({2, 2}, {0, std::log(3.0), 5, 5}));
  EXPECT_TRUE(close(ops::softmax(x).value(), Tensor::of<double>({2, 2}, {0.25, 0.75, 0.5, 0.5}), 1e-15));
  EXPECT_TRUE(close(ops::log_softmax(x).value(),
                    Tensor::of<double>({2, 2}, {-std::log(4.0), std::log(0.75), -std::log(2.0), -std::log(2.0)}), 1e-15));
}

// Many rows of every small width: the CPU treats widths 2 to 4 specially, several rows at once, with rows left over.
TEST(Softmax, AgreesWithDoubleForEveryWidth) {
  for (std::int64_t columns : {1, 2, 3, 4, 5, 17})
    for (std::int64_t rows : {1, 15, 16, 333}) {
      const Tensor x = random_tensor({rows, columns}, std::uint64_t(rows), Dtype::f64, 5);
      for (auto f : {ops::softmax, ops::log_softmax})
        EXPECT_TRUE(close(f(Variable(x.to(Dtype::f32))).value(), f(Variable(x)).value(), 1e-6))
            << rows << " rows of " << columns;
    }
}

TEST(MostLikely, ByHand) {
  for (Dtype dtype : {Dtype::f32, Dtype::f64}) {
    const Tensor x = Tensor::of<double>({2, 2, 3}, {1, 3, 2, -1, -2, -1, 0.5, 0.25, 0.25, 0, 0, 0}).to(dtype);
    // the first of equals
    EXPECT_EQ(ops::most_likely(x).to_vector<std::int32_t>(), (std::vector<std::int32_t>{1, 0, 0, 0}));
    EXPECT_EQ(ops::most_likely(x, 0.5).to_vector<std::int32_t>(), (std::vector<std::int32_t>{1, -1, 0, -1}));
    EXPECT_EQ(ops::most_likely(x).shape(), (engine::Shape{2, 2}));
  }
  EXPECT_TRUE(throws<engine::ShapeError>([] { ops::most_likely(Tensor::zeros({})); }, "most_likely: x needs a last axis"));
  EXPECT_TRUE(throws<engine::DtypeError>([] { ops::most_likely(Tensor::of<std::int32_t>({1}, {1})); }, "most_likely"));
}

TEST(Softmax, NeedsAnAxis) {
  EXPECT_TRUE(throws<engine::ShapeError>([] { ops::softmax(Variable(Tensor::zeros({}))); }, "needs a last axis"));
}

}  // namespace
}  // namespace sagcl::tests
