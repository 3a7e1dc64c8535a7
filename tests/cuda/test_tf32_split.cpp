// f32 convolutions as three products of TF32 operands, by definition on the CPU, against f64.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "engine/random.h"
#include "ops/kernels/conv_reference.inl"
#include "tests/cuda/emulator.h"

#include "ops/cuda/cudnn/tf32_split.cuh"

namespace sagcl::ops::cuda {
namespace {

using Values = std::vector<float>;

Values noise(std::int64_t n, const char* name) {
  engine::Generator random(6, name);
  Values values(static_cast<std::size_t>(n));
  for (float& v : values) v = float(random.normal());
  return values;
}

Values split(const Values& x, std::int64_t columns, Parts parts) {
  Values y(3 * x.size());
  const SplitTf32 split{columns, parts, x.data(), y.data()};
  for (std::int64_t i = 0; i < std::int64_t(x.size()); ++i) split(i / columns, i % columns);
  return y;
}

/// y, dx or dw by definition, operands and sums in T.
template <class T, template <class> class Pass>
std::vector<double> sums(const ConvGeometry& g, const Values& a, const Values& b, std::int64_t size) {
  const std::vector<T> p(a.begin(), a.end()), q(b.begin(), b.end());
  std::vector<T> out(static_cast<std::size_t>(size));
  const auto pass = [&] {
    if constexpr (requires { Pass<T>{g, p.data(), q.data(), nullptr, out.data()}; })
      return Pass<T>{g, p.data(), q.data(), nullptr, out.data()};
    else return Pass<T>{g, p.data(), q.data(), out.data()};
  }();
  for (std::int64_t i = 0; i < size; ++i) pass(i);
  return {out.begin(), out.end()};
}

double relative_error(const std::vector<double>& a, const std::vector<double>& exact) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    difference += (a[i] - exact[i]) * (a[i] - exact[i]), size += exact[i] * exact[i];
  return std::sqrt(difference / size);
}

struct Errors {
  double split_exact_sums, split, plain;
};

/// Of one pass, whose operands a and b are stacked in rows of the given columns and summed over in `stacked`.
template <template <class> class Pass>
Errors errors(const ConvGeometry& g, const ConvGeometry& stacked, const Values& a, std::int64_t a_columns, Parts a_parts,
              const Values& b, std::int64_t b_columns, Parts b_parts, std::int64_t size) {
  const std::vector<double> exact = sums<double, Pass>(g, a, b, size);
  const Values a3 = split(a, a_columns, a_parts), b3 = split(b, b_columns, b_parts);
  return {relative_error(sums<double, Pass>(stacked, a3, b3, size), exact),
          relative_error(sums<float, Pass>(stacked, a3, b3, size), exact),
          relative_error(sums<float, Pass>(g, a, b, size), exact)};
}

void expect_as_exact_as_fp32(const char* pass, const Errors& e) {
  SCOPED_TRACE(testing::Message() << pass << ": " << e.split_exact_sums << " " << e.split << " " << e.plain);
  EXPECT_LE(e.split_exact_sums, 2e-7);  // what the two parts leave out
  EXPECT_GT(e.split_exact_sums, 0);
  EXPECT_LE(e.split, 1.5 * e.plain + 2e-7);
}

TEST(Tf32Split, ThreeProductsAreAsExactAsFp32) {
  for (const std::int64_t stride : {1, 2}) {
    const std::int64_t k = stride == 1 ? 3 : 2, n = 6, out = stride == 1 ? n : n / 2;
    const ConvGeometry g{2,
                         12,
                         20,
                         {{n, n, n}},
                         {{out, out, out}},
                         {{k, k, k}},
                         {{stride, stride, stride}},
                         {{stride == 1, stride == 1, stride == 1}}};
    const std::int64_t x_size = g.N * g.in.volume() * g.C, w_size = g.O * g.kernel.volume() * g.C,
                       y_size = g.N * g.out.volume() * g.O;
    const Values x = noise(x_size, "x"), w = noise(w_size, "w"), dy = noise(y_size, "dy");
    ConvGeometry channels = g, outputs = g, images = g;
    channels.C *= 3, outputs.O *= 3, images.N *= 3;
    constexpr Parts first = Parts::hi_hi_lo, second = Parts::hi_lo_hi;
    expect_as_exact_as_fp32("forward", errors<kernels::ConvForward>(g, channels, x, g.C, first, w, g.C, second, y_size));
    expect_as_exact_as_fp32("data",
                            errors<kernels::ConvBackwardData>(g, outputs, w, w_size, second, dy, g.O, first, x_size));
    expect_as_exact_as_fp32("weight",
                            errors<kernels::ConvBackwardWeight>(g, images, x, x_size, first, dy, y_size, second, w_size));
  }
}

TEST(Tf32Split, PartsAreExactInTf32AndAddUp) {
  for (const float v : {0.0f, -0.0f, 1.0f, 1.0f / 3, -3.14159265f, 1e-30f, 12345.678f, 1e30f}) {
    const float hi = in_tf32(v), lo = in_tf32(v - hi);
    EXPECT_EQ(in_tf32(hi), hi);
    EXPECT_LE(std::abs(v - hi), std::ldexp(std::abs(v), -11));
    EXPECT_LE(std::abs(double(v) - double(hi) - double(lo)), std::ldexp(std::abs(double(v)), -22));
  }
  EXPECT_TRUE(std::isnan(in_tf32(std::nanf(""))));
  EXPECT_TRUE(std::isinf(in_tf32(INFINITY)));
}

}  // namespace
}  // namespace sagcl::ops::cuda
