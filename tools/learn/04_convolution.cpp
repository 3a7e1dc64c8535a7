// Lesson 4: convolution by its definition, then direct, then Winograd: a ladder with a check and a time at each rung.
// The page is docs/learn/04-convolution.md.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "engine/parallel.h"
#include "engine/random.h"
#include "layers/optimiser.h"
#include "ops/arithmetic.h"
#include "ops/conv.h"
#include "ops/reduce.h"
#include "tools/learn/lesson.h"

using namespace sagcl;
using autograd::Variable;
using engine::Tensor;

namespace {

constexpr int H = 64, W = 64, C = 32;  // an image of C channels in and C channels out
using Array = std::vector<float>;

/// Rung 1: y[h,w,o] = Σ_i Σ_j Σ_c x[h + i - 1, w + j - 1, c] · w[o,i,j,c], x being 0 outside. As it is written.
template <class T>
std::vector<T> by_definition(const Array& x, const Array& weights) {
  std::vector<T> y(H * W * C);
  for (int h = 0; h < H; ++h)
    for (int w = 0; w < W; ++w)
      for (int o = 0; o < C; ++o) {
        T sum = 0;
        for (int i = 0; i < 3; ++i)
          for (int j = 0; j < 3; ++j) {
            const int r = h + i - 1, s = w + j - 1;
            if (r < 0 || r >= H || s < 0 || s >= W) continue;
            for (int c = 0; c < C; ++c) sum += T(x[(r * W + s) * C + c]) * T(weights[((o * 3 + i) * 3 + j) * C + c]);
          }
        y[(h * W + w) * C + o] = sum;
      }
  return y;
}

/// The channels of a voxel, which lie side by side: the compiler makes vector instructions of what is done to them.
struct Channels {
  float v[C] = {};
};
template <class F>
Channels each(F&& f) {
  Channels r;
  for (int c = 0; c < C; ++c) r.v[c] = f(c);
  return r;
}
Channels operator+(const Channels& a, const Channels& b) {
  return each([&](int c) { return a.v[c] + b.v[c]; });
}
Channels operator-(const Channels& a, const Channels& b) {
  return each([&](int c) { return a.v[c] - b.v[c]; });
}
Channels operator*(float f, const Channels& a) {
  return each([&](int c) { return f * a.v[c]; });
}
using Voxels = std::vector<Channels>;

/// The image [H + 2, W + 2] with a border of zeros, which spares every loop the question whether it is inside.
Voxels padded(const Array& x) {
  Voxels wide((H + 2) * (W + 2));
  for (int h = 0; h < H; ++h)
    for (int w = 0; w < W; ++w) std::copy_n(&x[(h * W + w) * C], C, wide[(h + 1) * (W + 2) + w + 1].v);
  return wide;
}

/// The weights as [i,j,c] with the outputs side by side.
Voxels turned(const Array& weights) {
  Voxels by_output(9 * C);
  for (int o = 0; o < C; ++o)
    for (int k = 0; k < 9 * C; ++k) by_output[k].v[o] = weights[o * 9 * C + k];
  return by_output;
}

/// sum[o] += Σ_c x[c] · w[c][o]
void multiply_add(const Channels& x, const Channels* w, Channels& sum) {
  for (int c = 0; c < C; ++c)
    for (int o = 0; o < C; ++o) sum.v[o] += x.v[c] * w[c].v[o];
}

/// Rung 2, direct: the same products in an order in which no addition waits for the one before.
Voxels direct(const Array& x, const Array& weights) {
  const Voxels wide = padded(x), by_output = turned(weights);
  Voxels y(H * W);
  for (int h = 0; h < H; ++h)
    for (int w = 0; w < W; ++w) {
      Channels sum;
      for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j) multiply_add(wide[(h + i) * (W + 2) + w + j], &by_output[(i * 3 + j) * C], sum);
      y[h * W + w] = sum;
    }
  return y;
}

// Rung 3, Winograd's F(2, 3): two results of a filter of three taps cost four products instead of six,
//     y = Aᵀ [ (G g) ∘ (Bᵀ d) ].                      T is a number, or the channels of a voxel.
template <class T>
std::array<T, 4> filter_side(const std::array<T, 3>& g) {  // G g
  return {g[0], 0.5f * (g[0] + g[1] + g[2]), 0.5f * (g[0] - g[1] + g[2]), g[2]};
}
template <class T>
std::array<T, 4> pixel_side(const std::array<T, 4>& d) {  // Bᵀ d
  return {d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]};
}
template <class T>
std::array<T, 2> result_side(const std::array<T, 4>& m) {  // Aᵀ m
  return {m[0] + m[1] + m[2], m[1] - m[2] - m[3]};
}

template <std::size_t N>
using Square = std::array<std::array<Channels, N>, N>;

/// f along the columns, then along the rows.
template <std::size_t R, std::size_t N, class F>
Square<R> both_ways(const Square<N>& in, F&& f) {
  std::array<std::array<Channels, N>, R> half;
  for (std::size_t j = 0; j < N; ++j) {
    std::array<Channels, N> column;
    for (std::size_t i = 0; i < N; ++i) column[i] = in[i][j];
    const auto transformed = f(column);
    for (std::size_t i = 0; i < R; ++i) half[i][j] = transformed[i];
  }
  Square<R> out;
  for (std::size_t i = 0; i < R; ++i) out[i] = f(half[i]);
  return out;
}

/// In the plane F(2x2, 3x3) makes 2 x 2 results from 4 x 4 pixels with 16 products instead of 36.
Voxels winograd(const Array& x, const Array& weights) {
  constexpr int tiles = W / 2;
  const Voxels wide = padded(x), by_output = turned(weights);
  Voxels filters(16 * C), pixels(16 * tiles), sums(16 * tiles), y(H * W);
  for (int c = 0; c < C; ++c) {
    Square<3> g;
    for (int k = 0; k < 9; ++k) g[k / 3][k % 3] = by_output[k * C + c];
    const Square<4> transformed = both_ways<4>(g, filter_side<Channels>);
    for (int k = 0; k < 16; ++k) filters[k * C + c] = transformed[k / 4][k % 4];
  }
  for (int h = 0; h < H; h += 2) {  // a row of tiles
    for (int t = 0; t < tiles; ++t) {
      Square<4> d;
      for (int k = 0; k < 16; ++k) d[k / 4][k % 4] = wide[(h + k / 4) * (W + 2) + 2 * t + k % 4];
      const Square<4> transformed = both_ways<4>(d, pixel_side<Channels>);
      for (int k = 0; k < 16; ++k) pixels[k * tiles + t] = transformed[k / 4][k % 4];
    }
    std::fill(sums.begin(), sums.end(), Channels());
    for (int k = 0; k < 16; ++k)  // 16 matrix products: here are all the products
      for (int t = 0; t < tiles; ++t) multiply_add(pixels[k * tiles + t], &filters[k * C], sums[k * tiles + t]);
    for (int t = 0; t < tiles; ++t) {
      Square<4> m;
      for (int k = 0; k < 16; ++k) m[k / 4][k % 4] = sums[k * tiles + t];
      const Square<2> result = both_ways<2>(m, result_side<Channels>);
      for (int k = 0; k < 4; ++k) y[(h + k / 2) * W + 2 * t + k % 2] = result[k / 2][k % 2];
    }
  }
  return y;
}

/// Learning a filter: somebody made `target` of `image` by a convolution with weights that are not known. Nine weights begin
/// at 0 and descend the mean squared difference (lesson 2).
std::vector<double> learnt_filter(const Variable& image, const Tensor& target, int steps) {
  Variable w = Variable::parameter(Tensor::zeros({1, 1, 3, 3, 1}, engine::Dtype::f64));
  layers::Sgd sgd({{"w", &w}}, {.momentum = 0});
  for (int step = 0; step < steps; ++step) {
    autograd::Tape tape;
    const Variable y = ops::conv(image, w, {}, {.padding = {{0, 1, 1}}});
    tape.backward(ops::mean(ops::square(ops::subtract(y, Variable(target)))));
    sgd.step(0.3);
  }
  return w.value().to_doubles();
}

Array random_numbers(int n, std::uint64_t seed) {
  engine::Generator random(seed, "lesson 4");
  Array values(std::size_t(n), 0.0f);
  for (float& v : values) v = float(random.normal());
  return values;
}

}  // namespace

int main() {
  learn::Claims claims;
  fmt::print("By hand: the pixels 1 3 2 5 under the filter 2 1 1.\n");
  const std::array<float, 2> sums = {1 * 2 + 3 * 1 + 2 * 1, 3 * 2 + 2 * 1 + 5 * 1};
  const auto g = filter_side(std::array{2.f, 1.f, 1.f}), d = pixel_side(std::array{1.f, 3.f, 2.f, 5.f});
  const auto y = result_side(std::array{g[0] * d[0], g[1] * d[1], g[2] * d[2], g[3] * d[3]});
  fmt::print("  six products:  {} and {}\n  four products:", sums[0], sums[1]);
  for (int k = 0; k < 4; ++k) fmt::print(" {}*{}", g[k], d[k]);
  fmt::print(" -> {} and {}\n", y[0], y[1]);
  claims.check(y == sums, "Winograd's four products give the same");

  const Array x = random_numbers(H * W * C, 1), w = random_numbers(C * 9 * C, 2);
  const std::vector<double> truth = by_definition<double>(x, w);
  const auto longer = [](double a, double b) { return std::abs(a) < std::abs(b); };
  const double largest = std::abs(*std::max_element(truth.begin(), truth.end(), longer));
  const auto rung = [&](const std::string& name, auto&& f) {
    auto result = f();
    const double ms = learn::milliseconds(5, [&] { result = f(); });
    const float* values = reinterpret_cast<const float*>(result.data());
    double error = 0;
    for (std::size_t i = 0; i < truth.size(); ++i) error = std::max(error, std::abs(values[i] - truth[i]) / largest);
    fmt::print("\n{:<41} {:.2f} ms, error {:.1e}\n", name, ms, error);
    claims.check(error < 1e-5, "equal to the definition in double precision, to 1e-5 of the largest value");
  };
  fmt::print("\nAn image of {}x{} with {} channels to {} channels, 3x3, one thread:\n", H, W, C, C);
  const double millions = 9e-6 * H * W * C * C;
  rung(fmt::format("by definition, {:.1f} million products", millions), [&] { return by_definition<float>(x, w); });
  rung(fmt::format("direct, {:.1f} million products", millions), [&] { return direct(x, w); });
  rung(fmt::format("Winograd F(2x2, 3x3), {:.1f} million", millions * 16 / 36), [&] { return winograd(x, w); });

  engine::set_threads(1);
  const Variable image(Tensor::of<float>({1, 1, H, W, C}, x)), weights(Tensor::of<float>({C, 1, 3, 3, C}, w));
  rung("the engine's ops::conv", [&] {
    return ops::conv(image, weights, {}, {.padding = {{0, 1, 1}}}).value().to_vector<float>();
  });

  fmt::print("\nRandom pixels and what a filter for upright edges made of them; 100 steps of descent find the filter:\n");
  const Array pixels = random_numbers(16 * 16, 3);
  const Variable small(Tensor::of<float>({1, 1, 16, 16, 1}, pixels).to(engine::Dtype::f64));
  const std::vector<double> edges = {1, 0, -1, 2, 0, -2, 1, 0, -1};
  const Tensor target = ops::conv(small, Variable(Tensor::of({1, 1, 3, 3, 1}, edges)), {}, {.padding = {{0, 1, 1}}}).value();
  const std::vector<double> learnt = learnt_filter(small, target, 100);
  bool found = true;
  for (int k = 0; k < 9; ++k) {
    fmt::print("{}{:7.4f}{}", k % 3 == 0 ? "  " : " ", std::round(learnt[k] * 1e4) / 1e4 + 0.0, k % 3 == 2 ? "\n" : "");
    found = found && std::abs(learnt[k] - edges[k]) < 1e-4;
  }
  claims.check(found, "all nine weights are right to 1e-4: nobody told them, a loss did");
  return claims.exit_code();
}
