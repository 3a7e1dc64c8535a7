#pragma once
// Losses over voxels in single precision: a block of voxels is turned into one plane per class, so that every step is the
// same plain loop over voxels. Up to 16 classes; the shared kernels, whose formulas these are, do the rest. Sums are formed
// in a fixed order, so results do not depend on the number of threads.
#include <algorithm>
#include <array>
#include <vector>

#include "engine/parallel.h"
#include "engine/tensor.h"
#include "ops/cpu/vectorised.h"
#include "ops/kernels/exponential.h"

namespace sagcl::ops::cpu {

constexpr std::int64_t most_classes = 16;
constexpr std::int64_t block = 256;         // voxels turned into planes at a time
constexpr std::int64_t chunk = 16 * block;  // voxels whose sums are formed by one thread
constexpr std::int64_t lanes = 16;          // partial sums of a block: their number is part of the result's bits

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

inline void to_labels(const std::int32_t* from, std::int64_t count, std::int32_t* labels) {
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
      z[c][i] = kernels::exponential(z[c][i] - m[i]);
      s[i] += z[c][i];
    }
}

/// The sum of a plane in a fixed order.
inline double plane_sum(const Plane& plane) {
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

/// True for what the functions above can do.
inline bool has_voxel_kernel(const Tensor& z) {
  return z.dtype() == engine::Dtype::f32 && z.shape().back() >= 1 && z.shape().back() <= most_classes;
}

}  // namespace sagcl::ops::cpu
