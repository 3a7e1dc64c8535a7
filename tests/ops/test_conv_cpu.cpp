#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/parallel.h"
#include "ops/backend.h"
#include "ops/cpu/conv/conv.h"
#include "ops/cpu/kernels.h"
#include "ops/kernels/conv_reference.inl"

// The fast f32 convolution against the f64 definition, over every kind of layer: for each element the error is compared
// with the sum of the magnitudes of its terms, which is what rounding is proportional to.
namespace sagcl::ops::cpu {
namespace {

using engine::Dtype;
using engine::Shape;

void conv_forward(const ConvGeometry& g, const Tensor& x, const Tensor& w, const Tensor& b, Tensor& y) {
  backend(engine::Device::cpu()).conv_forward(g, x, w, b, y);
}
void conv_backward_data(const ConvGeometry& g, const Tensor& w, const Tensor& dy, const Tensor& b, Tensor& dx) {
  backend(engine::Device::cpu()).conv_backward_data(g, w, dy, b, dx);
}
void conv_backward_weight(const ConvGeometry& g, const Tensor& x, const Tensor& dy, Tensor& dw) {
  backend(engine::Device::cpu()).conv_backward_weight(g, x, dy, dw);
}

ConvGeometry geometry(std::int64_t N, std::int64_t C, std::int64_t O, Extents in, Extents kernel, Extents stride,
                      Extents padding) {
  ConvGeometry g{.N = N, .C = C, .O = O, .in = in, .kernel = kernel, .out = {}, .stride = stride, .padding = padding};
  for (int a = 0; a < 3; ++a) g.out[a] = (in[a] + 2 * padding[a] - kernel[a]) / stride[a] + 1;
  return g;
}

Extents cube(std::int64_t n) { return {{n, n, n}}; }
Extents flat(std::int64_t n) { return {{1, n, n}}; }

ConvGeometry same3(std::int64_t N, std::int64_t C, std::int64_t O, Extents in) {
  return geometry(N, C, O, in, cube(3), cube(1), cube(1));
}
ConvGeometry same2(std::int64_t N, std::int64_t C, std::int64_t O, std::int64_t h, std::int64_t w) {
  return geometry(N, C, O, {{1, h, w}}, flat(3), cube(1), {{0, 1, 1}});
}
ConvGeometry halve3(std::int64_t N, std::int64_t C, std::int64_t O, Extents in) {
  return geometry(N, C, O, in, cube(2), cube(2), cube(0));
}
ConvGeometry point(std::int64_t N, std::int64_t C, std::int64_t O, Extents in) {
  return geometry(N, C, O, in, cube(1), cube(1), cube(0));
}

std::vector<ConvGeometry> sweep() {
  std::vector<ConvGeometry> all{
      // V-Net, scaled down: first layer, blocks, down (read backwards: up), head
      same3(2, 1, 16, {{9, 14, 12}}),
      same3(1, 16, 16, {{9, 24, 20}}),
      same3(2, 16, 16, {{5, 12, 9}}),
      same3(1, 32, 32, {{7, 14, 10}}),
      same3(1, 64, 64, {{4, 9, 8}}),
      same3(1, 128, 96, {{3, 7, 5}}),
      same3(1, 192, 160, {{2, 3, 3}}),
      halve3(2, 16, 32, {{8, 10, 12}}),
      halve3(1, 32, 64, {{6, 8, 10}}),
      halve3(1, 128, 256, {{4, 6, 4}}),
      point(2, 16, 2, {{6, 7, 9}}),
      point(1, 16, 1, {{6, 7, 9}}),
      // U-Net, scaled down
      same2(2, 1, 16, 33, 40),
      same2(2, 3, 16, 20, 24),
      same2(2, 16, 16, 32, 36),
      same2(1, 16, 32, 24, 24),
      same2(1, 32, 16, 30, 26),
      same2(1, 64, 32, 16, 18),
      same2(2, 128, 64, 8, 8),
      same2(1, 256, 256, 4, 4),
      same2(2, 16, 4, 21, 19),
      point(2, 64, 32, flat(9)),
      point(1, 256, 128, flat(4)),
      // width 8, odd channel counts, odd and thin volumes
      same3(1, 1, 8, {{6, 10, 8}}),
      same3(1, 8, 8, {{6, 13, 11}}),
      same3(1, 8, 8, {{9, 24, 20}}),  // Winograd in vectors of eight
      same3(2, 8, 16, {{6, 7, 6}}),
      same3(1, 24, 8, {{5, 12, 16}}),
      same2(2, 8, 8, 32, 36),
      same2(2, 16, 8, 32, 36),
      same2(3, 8, 16, 20, 28),
      same3(1, 8, 16, cube(7)),
      halve3(1, 8, 16, {{6, 6, 8}}),
      point(1, 8, 2, cube(5)),
      same2(1, 24, 40, 13, 17),
      same2(2, 56, 32, 20, 24),  // channels that are rounded up
      same3(1, 3, 5, cube(6)),
      same3(1, 5, 3, {{4, 9, 6}}),
      same3(2, 2, 1, cube(4)),
      same3(1, 48, 80, {{3, 6, 7}}),
      same3(1, 20, 12, {{3, 8, 9}}),
      same3(1, 16, 16, {{1, 16, 16}}),
      same3(3, 16, 16, {{1, 24, 24}}),  // images of one plane beneath a kernel that is deeper
      same3(2, 64, 64, {{1, 12, 12}}),
      same3(3, 256, 256, {{1, 8, 8}}),
      same3(1, 16, 16, {{16, 1, 1}}),
      same3(1, 16, 16, {{5, 17, 1}}),
      same3(1, 32, 16, {{2, 2, 33}}),
      same3(1, 4, 4, cube(1)),
      same3(1, 16, 16, cube(1)),
      point(1, 1, 1, cube(1)),
      point(3, 7, 9, {{2, 3, 5}}),
      // odd sizes under stride: the last voxels reach no result, or a result reaches into the padding
      halve3(1, 4, 6, {{5, 7, 9}}),
      halve3(1, 16, 32, {{5, 7, 9}}),
      geometry(1, 3, 4, cube(7), cube(3), cube(2), cube(1)),
      geometry(1, 16, 16, {{5, 9, 11}}, cube(3), cube(2), cube(1)),
      geometry(2, 1, 64, flat(16), {{1, 4, 4}}, {{1, 2, 2}}, {{0, 1, 1}}),
      geometry(1, 64, 128, {{1, 8, 8}}, {{1, 4, 4}}, {{1, 2, 2}}, {{0, 1, 1}}),
      geometry(1, 2, 8, cube(8), cube(4), cube(2), cube(1)),
      geometry(1, 4, 8, cube(9), cube(5), cube(1), cube(2)),
      geometry(1, 16, 8, {{1, 15, 15}}, {{1, 5, 5}}, {{1, 3, 3}}, {{0, 2, 2}}),
      geometry(1, 6, 4, {{6, 7, 8}}, {{1, 3, 5}}, {{1, 2, 1}}, {{0, 1, 2}}),
      geometry(1, 4, 4, cube(6), {{3, 1, 2}}, {{2, 1, 3}}, {{1, 0, 1}}),
      geometry(1, 5, 4, cube(7), cube(2), cube(3), cube(0)),
      geometry(1, 16, 16, cube(6), cube(3), cube(1), cube(0)),
      geometry(1, 16, 16, {{4, 10, 10}}, cube(3), cube(1), cube(2)),
      geometry(1, 3, 2, {{1, 1, 600}}, {{1, 1, 3}}, cube(1), {{0, 0, 1}}),
      geometry(1, 16, 16, {{1, 3, 1200}}, {{1, 3, 3}}, cube(1), {{0, 1, 1}}),
      // padding beyond the kernel, or other than half of it
      geometry(4, 16, 16, {{4, 32, 32}}, flat(3), cube(1), {{2, 1, 1}}),
      geometry(2, 16, 16, {{4, 20, 20}}, cube(3), cube(1), {{4, 1, 1}}),
      geometry(2, 16, 16, {{5, 24, 24}}, flat(3), cube(1), cube(1)),
      geometry(1, 16, 16, {{6, 24, 24}}, cube(3), cube(1), {{0, 1, 1}}),
      geometry(1, 16, 16, {{6, 24, 24}}, cube(3), cube(1), {{2, 0, 2}}),
      // kernels of other depths, up to Winograd's limit and beyond
      geometry(2, 16, 24, {{5, 22, 23}}, {{2, 3, 3}}, cube(1), cube(1)),
      geometry(1, 16, 16, {{9, 20, 20}}, {{5, 3, 3}}, cube(1), {{2, 1, 1}}),
      geometry(1, 16, 16, {{9, 20, 20}}, {{8, 3, 3}}, cube(1), {{4, 1, 1}}),
      geometry(1, 16, 16, {{9, 20, 20}}, {{9, 3, 3}}, cube(1), {{4, 1, 1}}),
      geometry(2, 16, 16, {{7, 6, 9}}, {{3, 1, 1}}, cube(1), {{1, 0, 0}}),
      same3(1, 36, 40, {{4, 20, 20}}),  // channels that are rounded up to Winograd's
      // sums in several chunks, with and without whole vectors; rows wider than a block
      geometry(1, 256, 3, {{3, 5, 6}}, cube(3), cube(1), cube(1)),
      geometry(1, 256, 20, {{3, 5, 6}}, cube(3), cube(1), cube(1)),
      geometry(1, 3, 5, {{1, 3, 1900}}, flat(3), cube(1), {{0, 1, 1}}),
      geometry(1, 2, 6, {{1, 6, 1900}}, {{1, 4, 4}}, {{1, 2, 2}}, {{0, 1, 1}}),
      point(2, 16, 2, {{8, 12, 14}}),
  };
  for (std::int64_t k = 1; k <= 5; ++k)
    for (std::int64_t s = 1; s <= 3; ++s)
      for (std::int64_t p = 0; p <= std::min<std::int64_t>(2, k); ++p)
        all.push_back(geometry(1, 3, 18, {{3, 6, 8}}, {{1, k, k}}, {{1, s, s}}, {{0, p, p}}));
  return all;
}

Shape activations(std::int64_t N, const Extents& size, std::int64_t channels) {
  return {N, size[0], size[1], size[2], channels};
}
Shape weights(const ConvGeometry& g) { return {g.O, g.kernel[0], g.kernel[1], g.kernel[2], g.C}; }

Tensor random(const Shape& shape, std::uint64_t seed) {
  Tensor t = Tensor::empty(shape);
  std::uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
  for (std::int64_t i = 0; i < t.size(); ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    t.data<float>()[i] = float(std::int32_t(state >> 32)) / 2147483648.0f;
  }
  return t;
}

Tensor magnitude(const Tensor& t) {
  Tensor m = t.clone();
  for (std::int64_t i = 0; i < m.size(); ++i) m.data<double>()[i] = std::abs(m.data<double>()[i]);
  return m;
}

enum class Pass { forward, data, weight };

struct Case {
  ConvGeometry g;
  Tensor x, w, dy, by, bx;

  explicit Case(const ConvGeometry& geometry)
      : g(geometry),
        x(random(activations(g.N, g.in, g.C), 1)),
        w(random(weights(g), 2)),
        dy(random(activations(g.N, g.out, g.O), 3)),
        by(random({g.O}, 4)),
        bx(random({g.C}, 5)) {}

  Tensor run(Pass pass, bool bias, Dtype dtype, bool magnitudes = false) const {
    const auto in = [&](const Tensor& t) { return magnitudes ? magnitude(t.to(dtype)) : t.to(dtype); };
    const Tensor b = !bias ? Tensor() : in(pass == Pass::forward ? by : bx);
    Tensor r = Tensor::full(pass == Pass::forward ? dy.shape() : pass == Pass::data ? x.shape() : w.shape(), NAN, dtype);
    if (pass == Pass::forward) conv_forward(g, in(x), in(w), b, r);
    if (pass == Pass::data) conv_backward_data(g, in(w), in(dy), b, r);
    if (pass == Pass::weight) conv_backward_weight(g, in(x), in(dy), r);
    return r;
  }
};

std::string describe(const ConvGeometry& g, Pass pass, bool bias) {
  return fmt::format("{} N {} C {} O {} in {} kernel {} stride {} padding {}{}",
                     pass == Pass::forward ? "forward"
                     : pass == Pass::data  ? "data gradient"
                                           : "weight gradient",
                     g.N, g.C, g.O, to_string(g.in), to_string(g.kernel), to_string(g.stride), to_string(g.padding),
                     bias ? " bias" : "");
}

bool equal_bits(const Tensor& a, const Tensor& b) { return std::memcmp(a.bytes_begin(), b.bytes_begin(), a.bytes()) == 0; }

/// Restores the kernels and the number of threads that a test changed.
class ConvCpu : public testing::Test {
 protected:
  void TearDown() override { use_kernels(available_kernels().front()), engine::set_threads(threads_); }
  int threads_ = engine::threads();
};

/// The largest error relative to the magnitude of the terms.
double worst_error(const Tensor& fast, const Tensor& exact, const Tensor& terms) {
  double worst = 0;
  for (std::int64_t i = 0; i < fast.size(); ++i) {
    const double error = std::abs(double(fast.data<float>()[i]) - exact.data<double>()[i]);
    worst = std::max(worst, std::isfinite(error) ? error / (terms.data<double>()[i] + 1e-30) : INFINITY);
  }
  return worst;
}

TEST_F(ConvCpu, AgreesWithTheDefinition) {
  for (const ConvGeometry& g : sweep()) {
    const Case c(g);
    // Winograd's error is proportional to the terms of the whole tile, also where padding leaves few terms of its own.
    const double tolerance = g.kernel[1] == 3 && g.kernel[2] == 3 && g.stride == cube(1) ? 2e-5 : 2e-6;
    for (Pass pass : {Pass::forward, Pass::data, Pass::weight})
      for (bool bias : {false, true}) {
        if (pass == Pass::weight && bias) continue;
        const Tensor exact = c.run(pass, bias, Dtype::f64), terms = c.run(pass, bias, Dtype::f64, true);
        for (const std::string& table : available_kernels()) {
          use_kernels(table);
          EXPECT_LT(worst_error(c.run(pass, bias, Dtype::f32), exact, terms), tolerance)
              << table << ": " << describe(g, pass, bias);
        }
      }
  }
}

TEST_F(ConvCpu, BitsDoNotDependOnThreadsOrRepetition) {
  for (const ConvGeometry& g : sweep()) {
    const Case c(g);
    for (const std::string& table : available_kernels())
      for (Pass pass : {Pass::forward, Pass::data, Pass::weight}) {
        use_kernels(table);
        engine::set_threads(1);
        const Tensor one = c.run(pass, false, Dtype::f32);
        for (int threads : {1, 2, 3, 8}) {
          engine::set_threads(threads);
          EXPECT_TRUE(equal_bits(one, c.run(pass, false, Dtype::f32)))
              << table << ", " << threads << " threads, " << describe(g, pass, false);
        }
      }
  }
}

/// Single elements of a pass by definition; of the magnitudes of its terms when asked for.
struct ByDefinition {
  ConvGeometry g;
  Tensor x, w, dy, result;

  ByDefinition(const Case& c, bool magnitudes)
      : g(c.g),
        x(c.x.to(Dtype::f64)),
        w(c.w.to(Dtype::f64)),
        dy(c.dy.to(Dtype::f64)),
        result(Tensor::empty({std::max({x.size(), w.size(), dy.size()})}, Dtype::f64)) {
    if (magnitudes) x = magnitude(x), w = magnitude(w), dy = magnitude(dy);
  }
  double at(Pass pass, std::int64_t i) {
    const double *px = x.data<double>(), *pw = w.data<double>(), *pdy = dy.data<double>();
    double* r = result.data<double>();
    if (pass == Pass::forward) kernels::ConvForward<double>{g, px, pw, nullptr, r}(i);
    if (pass == Pass::data) kernels::ConvBackwardData<double>{g, pw, pdy, nullptr, r}(i);
    if (pass == Pass::weight) kernels::ConvBackwardWeight<double>{g, px, pdy, r}(i);
    return r[i];
  }
};

// Layers too large for the definition as a whole: the deepest ones of both networks, compared at some elements.
TEST_F(ConvCpu, LargeLayersAgreeAtSampledElements) {
  for (const ConvGeometry& g :
       {same3(2, 256, 256, {{5, 7, 6}}), same3(1, 128, 128, {{6, 14, 10}}), same2(3, 256, 256, 16, 16),
        same3(1, 64, 64, {{16, 28, 20}}), same3(1, 128, 128, {{20, 14, 10}}), same3(1, 256, 256, {{2, 32, 32}}),
        same3(2, 96, 160, {{8, 20, 20}}), same3(5, 256, 256, {{5, 7, 6}}), same2(2, 64, 64, 64, 60),
        same3(1, 16, 16, {{20, 56, 40}}), same3(1, 8, 8, {{20, 56, 40}}), same2(2, 16, 8, 64, 60),
        halve3(1, 128, 256, {{6, 14, 10}})}) {
    const Case c(g);
    ByDefinition exact(c, false), terms(c, true);
    for (Pass pass : {Pass::forward, Pass::data, Pass::weight}) {
      engine::set_threads(2);
      const Tensor fast = c.run(pass, false, Dtype::f32);
      for (std::int64_t sample = 0; sample < 40; ++sample) {
        const std::int64_t i = (sample * 7919 + 13) * 104729 % fast.size();
        const double error = std::abs(double(fast.data<float>()[i]) - exact.at(pass, i));
        EXPECT_LT(error, 2e-5 * terms.at(pass, i)) << "element " << i << " of " << describe(g, pass, false);
      }
      engine::set_threads(3);
      EXPECT_TRUE(equal_bits(fast, c.run(pass, false, Dtype::f32))) << describe(g, pass, false);
    }
  }
}

/// No images, no voxels, no channels: nothing, or what a sum of nothing is.
TEST(ConvByHand, OfNothing) {
  const ConvGeometry some = geometry(1, 4, 8, {{2, 4, 4}}, cube(3), cube(1), cube(1));
  for (int empty = 0; empty < 4; ++empty) {
    ConvGeometry g = some;
    (empty == 0 ? g.N : empty == 1 ? g.C : empty == 2 ? g.O : g.in[0]) = 0;
    const auto results = [&](Dtype dtype) {
      const Tensor x = Tensor::full(activations(g.N, g.in, g.C), 2, dtype), w = Tensor::full(weights(g), 3, dtype),
                   dy = Tensor::full(activations(g.N, g.out, g.O), 1, dtype), b = Tensor::full({g.O}, 7, dtype);
      Tensor y = Tensor::full(dy.shape(), -1, dtype), dx = Tensor::full(x.shape(), -1, dtype),
             dw = Tensor::full(w.shape(), -1, dtype);
      conv_forward(g, x, w, b, y);
      conv_backward_data(g, w, dy, Tensor(), dx);
      conv_backward_weight(g, x, dy, dw);
      return std::vector<std::vector<double>>{y.to_doubles(), dx.to_doubles(), dw.to_doubles()};
    };
    EXPECT_EQ(results(Dtype::f32), results(Dtype::f64)) << empty;
  }
}

TEST(ConvByHand, OneDimension) {
  // x = 1 2 3, w = 10 1, stride 1, padding 1: y = 0*10+1*1, 1*10+2*1, 2*10+3*1, 3*10+0*1
  const ConvGeometry g = geometry(1, 1, 1, {{1, 1, 3}}, {{1, 1, 2}}, cube(1), {{0, 0, 1}});
  for (Dtype dtype : {Dtype::f32, Dtype::f64}) {
    const Tensor x = Tensor::of<float>({1, 1, 1, 3, 1}, {1, 2, 3}).to(dtype),
                 w = Tensor::of<float>({1, 1, 1, 2, 1}, {10, 1}).to(dtype);
    const Tensor dy = Tensor::of<float>({1, 1, 1, 4, 1}, {1, 0, 2, 0}).to(dtype);
    Tensor y = Tensor::empty({1, 1, 1, 4, 1}, dtype), dx = Tensor::empty_like(x), dw = Tensor::empty_like(w);
    conv_forward(g, x, w, Tensor(), y);
    conv_backward_data(g, w, dy, Tensor(), dx);
    conv_backward_weight(g, x, dy, dw);
    EXPECT_EQ(y.to_doubles(), (std::vector<double>{1, 12, 23, 30}));
    EXPECT_EQ(dx.to_doubles(), (std::vector<double>{1, 20, 2}));
    EXPECT_EQ(dw.to_doubles(), (std::vector<double>{4, 7}));
  }
}

TEST(ConvKernels, UnknownNameIsAnError) { EXPECT_THROW(use_kernels("mmx"), engine::UsageError); }

}  // namespace
}  // namespace sagcl::ops::cpu
