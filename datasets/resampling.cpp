#include "datasets/resampling.h"

#include <algorithm>
#include <cmath>

#include "engine/parallel.h"

namespace sagcl::datasets {

using engine::Extents;
using engine::require;

namespace {

constexpr std::array all_linear = {Interpolation::linear, Interpolation::linear, Interpolation::linear};

double position(std::int64_t i, std::int64_t s, std::int64_t n) {
  return std::clamp((double(i) + 0.5) * double(s) / double(n) - 0.5, 0.0, double(s - 1));
}

/// Four voxels and their weights for every one of n: of a cubic B-spline.
struct CubicWeights {
  std::vector<std::array<std::int64_t, 4>> voxels;
  std::vector<std::array<float, 4>> weights;

  CubicWeights(std::int64_t s, std::int64_t n) {
    const auto mirrored = [&](std::int64_t i) {
      if (s == 1) return std::int64_t(0);
      const std::int64_t period = 2 * (s - 1), m = ((i % period) + period) % period;
      return std::min(m, period - m);
    };
    for (std::int64_t i = 0; i < n; ++i) {
      const double x = position(i, s, n), t = x - std::floor(x), u = 1 - t;
      const std::int64_t at = std::int64_t(std::floor(x));
      voxels.push_back({mirrored(at - 1), mirrored(at), mirrored(at + 1), mirrored(at + 2)});
      weights.push_back({float(u * u * u / 6), float((4 - 6 * t * t + 3 * t * t * t) / 6),
                         float((4 - 6 * u * u + 3 * u * u * u) / 6), float(t * t * t / 6)});
    }
  }
};

/// The coefficients of the cubic B-spline through c[0], …, c[s − 1], mirrored at both ends, in place (Unser, Aldroubi and
/// Eden, IEEE Trans. Signal Processing 1993): a recursive filter there and back with the pole √3 − 2.
void spline_coefficients(std::vector<double>& c) {
  const std::size_t s = c.size();
  if (s == 1) return;
  const double z = std::sqrt(3.0) - 2;
  const std::size_t horizon = std::min<std::size_t>(s, 32);  // |z|^32 < 1e-18
  double first = c[0], power = z;
  if (horizon < s) {
    for (std::size_t k = 1; k < horizon; ++k, power *= z) first += power * c[k];
  } else {  // the whole mirrored signal, as a geometric series
    const double last = std::pow(z, double(s - 1));
    first += last * c[s - 1];
    for (std::size_t k = 1; k + 1 < s; ++k, power *= z) first += (power + last * last / power) * c[k];
    first /= 1 - last * last;
  }
  c[0] = first;
  for (std::size_t k = 1; k < s; ++k) c[k] += z * c[k - 1];
  c[s - 1] = z / (z * z - 1) * (c[s - 1] + z * c[s - 2]);
  for (std::size_t k = s - 1; k-- > 0;) c[k] = z * (c[k + 1] - c[k]);
  for (double& v : c) v *= 6;
}

/// x [outer, s, inner] -> [outer, n, inner]. A line runs through the middle axis.
struct Axis {
  std::int64_t outer, s, n, inner;
  Axis(const Tensor& x, int a, std::int64_t n) : outer(1), s(x.shape()[a]), n(n), inner(1) {
    for (int b = 0; b < a; ++b) outer *= x.shape()[b];
    for (int b = a + 1; b < x.shape().rank(); ++b) inner *= x.shape()[b];
  }
};

void linear(const Axis& a, const float* x, float* y) {
  const LinearWeights w = linear_weights(a.s, a.n);
  engine::parallel_for(a.outer * a.n, std::max<std::int64_t>(1, (1 << 14) / a.inner), [&](std::int64_t row) {
    const std::int64_t i = row % a.n, first = w.first[std::size_t(i)];
    const float second = w.second[std::size_t(i)];
    const float* from = x + (row / a.n * a.s + first) * a.inner;
    const float* next = from + (first + 1 < a.s ? a.inner : 0);
    for (std::int64_t k = 0; k < a.inner; ++k) y[row * a.inner + k] = (1 - second) * from[k] + second * next[k];
  });
}

void cubic(const Axis& a, const float* x, float* y) {
  const CubicWeights w(a.s, a.n);
  engine::parallel_for(a.outer * a.inner, std::max<std::int64_t>(1, (1 << 12) / a.s), [&](std::int64_t line) {
    const std::int64_t o = line / a.inner, k = line % a.inner;
    std::vector<double> c;
    for (std::int64_t i = 0; i < a.s; ++i) c.push_back(x[(o * a.s + i) * a.inner + k]);
    spline_coefficients(c);
    for (std::int64_t i = 0; i < a.n; ++i) {
      double sum = 0;
      for (std::size_t j = 0; j < 4; ++j)
        sum += double(w.weights[std::size_t(i)][j]) * c[std::size_t(w.voxels[std::size_t(i)][j])];
      y[(o * a.n + i) * a.inner + k] = float(sum);
    }
  });
}

}  // namespace

Extents extents_at(const Extents& size, const Spacing& from, const Spacing& to) {
  Extents out = size;
  for (int a = 0; a < 3; ++a) {
    const double f = from[std::size_t(a)], t = to[std::size_t(a)];
    if (t == 0) continue;
    require<engine::UsageError>(f > 0 && t > 0 && std::isfinite(f / t), "a spacing of {} mm cannot become {} mm", f, t);
    out[a] = std::max<std::int64_t>(1, std::llround(double(size[a]) * f / t));
  }
  return out;
}

LinearWeights linear_weights(std::int64_t s, std::int64_t n) {
  LinearWeights w;
  for (std::int64_t i = 0; i < n; ++i) {
    const double x = position(i, s, n);
    w.first.push_back(std::int64_t(x));
    w.second.push_back(float(x - std::floor(x)));
  }
  return w;
}

Tensor resampled(const Tensor& image, const Extents& size, const std::array<Interpolation, 3>& how) {
  require(image.shape().rank() == 4, "resampled: an image must be [D, H, W, C], got {}", image.shape());
  Tensor x = image;
  for (int a = 0; a < 3; ++a) {
    if (x.shape()[a] == size[a]) continue;
    Tensor y = Tensor::empty(x.shape().with(a, size[a]));
    const Axis axis(x, a, size[a]);
    (how[std::size_t(a)] == Interpolation::cubic ? cubic : linear)(axis, x.data<float>(), y.data<float>());
    x = std::move(y);
  }
  return x;
}

Tensor resampled_label(const Tensor& label, const Extents& size) {
  const engine::Shape& s = label.shape();
  require(s.rank() == 3, "resampled_label: a label must be [D, H, W], got {}", s);
  if (Extents{{s[0], s[1], s[2]}} == size) return label;
  std::array<bool, 256> there = {};
  for (std::int64_t i = 0; i < label.size(); ++i) there[label.data<std::uint8_t>()[i]] = true;
  Tensor classes = Tensor::zeros({size[0], size[1], size[2]}, engine::Dtype::u8);
  Tensor most = Tensor::full(classes.shape(), -1);
  Tensor membership = Tensor::empty({s[0], s[1], s[2], 1});
  for (int k = 0; k < 256; ++k) {
    if (!there[std::size_t(k)]) continue;
    for (std::int64_t i = 0; i < label.size(); ++i)
      membership.data<float>()[i] = label.data<std::uint8_t>()[i] == k ? 1.0f : 0.0f;
    const Tensor here = resampled(membership, size, all_linear);
    for (std::int64_t i = 0; i < classes.size(); ++i)
      if (here.data<float>()[i] > most.data<float>()[i]) {
        most.data<float>()[i] = here.data<float>()[i];
        classes.data<std::uint8_t>()[i] = std::uint8_t(k);
      }
  }
  return classes;
}

PlaneResampling::PlaneResampling(std::int64_t planes, const Extents& size, std::function<void(const Tensor&)> sink)
    : weights_(linear_weights(planes, size[0])), size_(size), sink_(std::move(sink)) {}

void PlaneResampling::add(const Tensor& planes) {
  const engine::Shape& s = planes.shape();
  for (std::int64_t p = 0; p < s[0]; ++p, ++seen_) {
    Tensor plane = Tensor::empty(s.with(0, 1));
    std::copy_n(planes.data<float>() + p * plane.size(), plane.size(), plane.data<float>());
    held_[std::size_t(seen_ % 2)] = resampled(plane, {{1, size_[1], size_[2]}}, all_linear);
    for (; given_ < size_[0]; ++given_) {
      const std::int64_t first = weights_.first[std::size_t(given_)];
      const float second = weights_.second[std::size_t(given_)];
      const std::int64_t next = second > 0 ? first + 1 : first;  // the last plane has none behind it
      if (next > seen_) break;
      Tensor mixed = Tensor::empty(held(first).shape());
      const float *a = held(first).data<float>(), *b = held(next).data<float>();
      for (std::int64_t i = 0; i < mixed.size(); ++i) mixed.data<float>()[i] = (1 - second) * a[i] + second * b[i];
      sink_(mixed);
    }
  }
}

}  // namespace sagcl::datasets
