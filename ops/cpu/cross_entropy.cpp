#include "ops/cpu/cpu_backend.h"

#include <algorithm>
#include "ops/cpu/voxel_planes.h"

namespace sagcl::ops::cpu {

using kernels::logarithm;

void CpuBackend::cross_entropy(const Tensor& z, const Tensor& labels, Tensor& loss, Tensor& count) {
  if (!has_voxel_kernel(z)) return Shared::cross_entropy(z, labels, loss, count);
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

void CpuBackend::cross_entropy_backward(const Tensor& z, const Tensor& labels, const Tensor& count, const Tensor& dloss,
                                        Tensor& dz) {
  if (!has_voxel_kernel(z)) return Shared::cross_entropy_backward(z, labels, count, dloss, dz);
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

void CpuBackend::soft_cross_entropy(const Tensor& z, const Tensor& q, Tensor& loss) {
  if (!has_voxel_kernel(z)) return Shared::soft_cross_entropy(z, q, loss);
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

void CpuBackend::soft_cross_entropy_backward(const Tensor& z, const Tensor& q, const Tensor& dloss, Tensor& dz) {
  if (!has_voxel_kernel(z)) return Shared::soft_cross_entropy_backward(z, q, dloss, dz);
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

}  // namespace sagcl::ops::cpu
