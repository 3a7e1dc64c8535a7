#include "ops/cpu/voxel_losses.h"

#include <algorithm>
#include <array>
#include <vector>

#include "engine/parallel.h"
#include "ops/cpu/vectorised.h"
#include "ops/kernels/exponential.h"

namespace sagcl::ops::cpu {
namespace {

using kernels::exponential;
using kernels::logarithm;

constexpr std::int64_t most_classes = 16;
constexpr std::int64_t block = 256;             // voxels turned into planes at a time
constexpr std::int64_t chunk = 16 * block;      // voxels whose sums are formed by one thread
constexpr std::int64_t lanes = 16;              // partial sums of a block: their number is part of the result's bits

using Plane = float[block];

/// planes[c][i] = rows[i * C + c]; voxels beyond `count` become zero. C = 0 stands for a number known at run time.
template <int C>
void to_planes(const float* rows, std::int64_t classes, std::int64_t count, Plane* planes) {
  const std::int64_t n = C ? C : classes;
  if (n < 1) __builtin_unreachable();  // has_voxel_kernel; spares the compiler a warning
  if (count == block) {
    for (std::int64_t c = 0; c < n; ++c)
      for (std::int64_t i = 0; i < block; ++i) planes[c][i] = rows[i * n + c];
    return;
  }
  for (std::int64_t c = 0; c < n; ++c)
    for (std::int64_t i = 0; i < block; ++i) planes[c][i] = i < count ? rows[i * n + c] : 0.0f;
}

template <int C>
void from_planes(const Plane* planes, std::int64_t classes, std::int64_t count, float* rows) {
  const std::int64_t n = C ? C : classes;
  for (std::int64_t i = 0; i < count; ++i)
    for (std::int64_t c = 0; c < n; ++c) rows[i * n + c] = planes[c][i];
}

void to_labels(const std::int32_t* from, std::int64_t count, std::int32_t* labels) {
  for (std::int64_t i = 0; i < count; ++i) labels[i] = from[i];
  for (std::int64_t i = count; i < block; ++i) labels[i] = -1;
}

/// Replaces scores z by e^(z - m); m is the largest score of a voxel and s the sum of its exponentials.
template <int C>
void exponentials(std::int64_t classes, Plane* z, Plane& m, Plane& s) {
  const std::int64_t n = C ? C : classes;
  for (std::int64_t i = 0; i < block; ++i) m[i] = z[0][i];
  for (std::int64_t c = 1; c < n; ++c)
    for (std::int64_t i = 0; i < block; ++i) m[i] = z[c][i] > m[i] ? z[c][i] : m[i];
  for (std::int64_t i = 0; i < block; ++i) s[i] = 0;
  for (std::int64_t c = 0; c < n; ++c)
    for (std::int64_t i = 0; i < block; ++i) {
      z[c][i] = exponential(z[c][i] - m[i]);
      s[i] += z[c][i];
    }
}

/// The sum of a plane in a fixed order.
double plane_sum(const Plane& plane) {
  float partial[lanes] = {};
  for (std::int64_t i = 0; i < block; i += lanes)
    for (std::int64_t l = 0; l < lanes; ++l) partial[l] += plane[i + l];
  double total = 0;
  for (float p : partial) total += double(p);
  return total;
}

/// f(first voxel, voxels) for the blocks of all voxels, spread over the threads.
template <class F>
void for_each_block(std::int64_t voxels, F f) {
  engine::parallel_for((voxels + chunk - 1) / chunk, 2, [&](std::int64_t part) {
    for (std::int64_t at = part * chunk, end = std::min(voxels, at + chunk); at < end; at += block)
      vectorised([&, at, end] { f(at, std::min(block, end - at)); });
  });
}

/// Σ over the blocks of f(first voxel, voxels, K sums to add to), in order.
template <std::size_t K, class F>
std::array<double, K> block_sums(std::int64_t voxels, F f) {
  std::vector<std::array<double, K>> partial(std::size_t((voxels + chunk - 1) / chunk));
  for_each_block(voxels, [&](std::int64_t at, std::int64_t count) { f(at, count, partial[std::size_t(at / chunk)]); });
  std::array<double, K> total{};
  for (const auto& p : partial)
    for (std::size_t k = 0; k < K; ++k) total[k] += p[k];
  return total;
}

/// f(integral_constant<C>) for the number of classes, 0 for those without code of their own.
template <class F>
void visit_classes(std::int64_t classes, F f) {
  switch (classes) {
    case 2: return f(std::integral_constant<int, 2>{});
    case 3: return f(std::integral_constant<int, 3>{});
    case 4: return f(std::integral_constant<int, 4>{});
    default: return f(std::integral_constant<int, 0>{});
  }
}

}  // namespace

bool has_voxel_kernel(const Tensor& z) {
  return z.dtype() == engine::Dtype::f32 && z.shape().back() >= 1 && z.shape().back() <= most_classes;
}

void cross_entropy(const Tensor& z, const Tensor& labels, Tensor& loss, Tensor& count) {
  const std::int64_t classes = z.shape().back();
  const float* scores = z.data<float>();
  const std::int32_t* targets = labels.data<std::int32_t>();
  visit_classes(classes, [&](auto fixed) {
    constexpr int C = decltype(fixed)::value;
    const auto sums = block_sums<2>(labels.size(), [=](std::int64_t at, std::int64_t voxels, std::array<double, 2>& sum) {
      Plane e[most_classes], m, s, chosen;
      std::int32_t t[block], counted = 0;
      to_planes<C>(scores + at * classes, classes, voxels, e);
      to_labels(targets + at, voxels, t);
      for (std::int64_t i = 0; i < block; ++i) chosen[i] = 0;
      for (std::int64_t c = 0; c < (C ? C : classes); ++c)
        for (std::int64_t i = 0; i < block; ++i) chosen[i] = t[i] == c ? e[c][i] : chosen[i];
      exponentials<C>(classes, e, m, s);
      for (std::int64_t i = 0; i < block; ++i) {
        const float l = logarithm(s[i]) + m[i] - chosen[i];
        chosen[i] = t[i] >= 0 ? l : 0.0f;
        counted += t[i] >= 0;
      }
      sum[0] += plane_sum(chosen);
      sum[1] += counted;
    });
    count.data<float>()[0] = float(sums[1]);
    loss.data<float>()[0] = float(sums[0] / std::max(1.0, sums[1]));
  });
}

void cross_entropy_backward(const Tensor& z, const Tensor& labels, const Tensor& count, const Tensor& dloss, Tensor& dz) {
  const std::int64_t classes = z.shape().back();
  const float *scores = z.data<float>(), weight = dloss.data<float>()[0] / std::max(1.0f, count.data<float>()[0]);
  const std::int32_t* targets = labels.data<std::int32_t>();
  float* result = dz.data<float>();
  visit_classes(classes, [&](auto fixed) {
    constexpr int C = decltype(fixed)::value;
    for_each_block(labels.size(), [=](std::int64_t at, std::int64_t voxels) {
      Plane e[most_classes], m, s;
      std::int32_t t[block];
      to_planes<C>(scores + at * classes, classes, voxels, e);
      to_labels(targets + at, voxels, t);
      exponentials<C>(classes, e, m, s);
      for (std::int64_t i = 0; i < block; ++i) s[i] = 1 / s[i];
      for (std::int64_t c = 0; c < (C ? C : classes); ++c)
        for (std::int64_t i = 0; i < block; ++i) {
          const float d = (e[c][i] * s[i] - (t[i] == c ? 1.0f : 0.0f)) * weight;
          e[c][i] = t[i] >= 0 ? d : 0.0f;
        }
      from_planes<C>(e, classes, voxels, result + at * classes);
    });
  });
}

void soft_cross_entropy(const Tensor& z, const Tensor& q, Tensor& loss) {
  const std::int64_t classes = z.shape().back(), rows = z.size() / classes;
  const float *scores = z.data<float>(), *targets = q.data<float>();
  visit_classes(classes, [&](auto fixed) {
    constexpr int C = decltype(fixed)::value;
    const auto sums = block_sums<1>(rows, [=](std::int64_t at, std::int64_t voxels, std::array<double, 1>& sum) {
      Plane e[most_classes], y[most_classes], m, s, against, mass;
      to_planes<C>(scores + at * classes, classes, voxels, e);
      to_planes<C>(targets + at * classes, classes, voxels, y);  // voxels beyond the end have no mass
      for (std::int64_t i = 0; i < block; ++i) m[i] = e[0][i], against[i] = mass[i] = 0;
      for (std::int64_t c = 1; c < (C ? C : classes); ++c)
        for (std::int64_t i = 0; i < block; ++i) m[i] = e[c][i] > m[i] ? e[c][i] : m[i];
      for (std::int64_t c = 0; c < (C ? C : classes); ++c)
        for (std::int64_t i = 0; i < block; ++i) {
          against[i] += y[c][i] * (m[i] - e[c][i]);
          mass[i] += y[c][i];
        }
      exponentials<C>(classes, e, m, s);
      for (std::int64_t i = 0; i < block; ++i) against[i] += mass[i] * logarithm(s[i]);
      sum[0] += plane_sum(against);
    });
    loss.data<float>()[0] = float(sums[0] / double(rows));
  });
}

void soft_cross_entropy_backward(const Tensor& z, const Tensor& q, const Tensor& dloss, Tensor& dz) {
  const std::int64_t classes = z.shape().back(), rows = z.size() / classes;
  const float *scores = z.data<float>(), *targets = q.data<float>(), weight = dloss.data<float>()[0] / float(rows);
  float* result = dz.data<float>();
  visit_classes(classes, [&](auto fixed) {
    constexpr int C = decltype(fixed)::value;
    for_each_block(rows, [=](std::int64_t at, std::int64_t voxels) {
      Plane e[most_classes], y[most_classes], m, s, mass;
      to_planes<C>(scores + at * classes, classes, voxels, e);
      to_planes<C>(targets + at * classes, classes, voxels, y);
      for (std::int64_t i = 0; i < block; ++i) mass[i] = 0;
      for (std::int64_t c = 0; c < (C ? C : classes); ++c)
        for (std::int64_t i = 0; i < block; ++i) mass[i] += y[c][i];
      exponentials<C>(classes, e, m, s);
      for (std::int64_t i = 0; i < block; ++i) s[i] = mass[i] / s[i];
      for (std::int64_t c = 0; c < (C ? C : classes); ++c)
        for (std::int64_t i = 0; i < block; ++i) e[c][i] = (e[c][i] * s[i] - y[c][i]) * weight;
      from_planes<C>(e, classes, voxels, result + at * classes);
    });
  });
}

void dice_sums(bool squared, const Tensor& p, const Tensor& y, const Tensor& labels, Tensor& sums) {
  const std::int64_t channels = p.shape().back(), rows = p.size() / channels;
  const float *probabilities = p.data<float>(), *soft = y.defined() ? y.data<float>() : nullptr;
  const std::int32_t* targets = soft ? nullptr : labels.data<std::int32_t>();
  float* result = sums.data<float>();
  visit_classes(channels, [&](auto fixed) {
    constexpr int C = decltype(fixed)::value;
    const auto totals = block_sums<3 * most_classes>(rows, [=](std::int64_t at, std::int64_t voxels,
                                                               std::array<double, 3 * most_classes>& sum) {
      Plane a[most_classes], b[most_classes], product;
      to_planes<C>(probabilities + at * channels, channels, voxels, a);
      if (soft) {
        to_planes<C>(soft + at * channels, channels, voxels, b);
      } else {  // voxels that are not counted lose their probability, too
        std::int32_t t[block];
        to_labels(targets + at, voxels, t);
        for (std::int64_t c = 0; c < (C ? C : channels); ++c)
          for (std::int64_t i = 0; i < block; ++i) {
            b[c][i] = t[i] == c ? 1.0f : 0.0f;
            a[c][i] = t[i] >= 0 ? a[c][i] : 0.0f;
          }
      }
      for (std::int64_t c = 0; c < (C ? C : channels); ++c) {
        for (std::int64_t i = 0; i < block; ++i) product[i] = a[c][i] * b[c][i];
        if (squared)
          for (std::int64_t i = 0; i < block; ++i) a[c][i] *= a[c][i], b[c][i] *= b[c][i];
        sum[std::size_t(c)] += plane_sum(product);
        sum[std::size_t(channels + c)] += plane_sum(a[c]);
        sum[std::size_t(2 * channels + c)] += plane_sum(b[c]);
      }
    });
    for (std::int64_t k = 0; k < 3 * channels; ++k) result[k] = float(totals[std::size_t(k)]);
  });
}

}  // namespace sagcl::ops::cpu
