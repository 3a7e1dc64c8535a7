#include "ops/cpu/cpu_backend.h"
#include "ops/cpu/voxel_planes.h"

namespace sagcl::ops::cpu {

void CpuBackend::dice_sums(bool squared, const Tensor& p, const Tensor& y, const Tensor& labels, Tensor& sums) {
  if (!has_voxel_kernel(p)) return Shared::dice_sums(squared, p, y, labels, sums);
  const std::int64_t channels = p.shape().back(), rows = p.size() / channels;
  const float *probabilities = p.data<float>(), *soft = y.defined() ? y.data<float>() : nullptr;
  const std::int32_t* targets = soft ? nullptr : labels.data<std::int32_t>();
  float* result = sums.data<float>();
  visit_classes(channels, [&](auto fixed) {
    constexpr int C = decltype(fixed)::value;
    const auto totals = block_sums<3 * most_classes>(
        rows, [=](std::int64_t at, std::int64_t voxels, std::array<double, 3 * most_classes>& sum) {
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
