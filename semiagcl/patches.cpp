#include "semiagcl/patches.h"

#include <algorithm>
#include <cmath>

#include "engine/parallel.h"

namespace sagcl::semiagcl {

using engine::Device;
using engine::Dtype;
using engine::require;
using engine::Shape;
using engine::Type;
using engine::visit_any;
using engine::visit_float;

std::int64_t patches_per_image(const Shape& x, const Extents& grid) {
  require(x.rank() == 5, "patches: expected [N,D,H,W,C], got {}", x);
  for (int a = 0; a < 3; ++a)
    require(grid[a] > 0 && x[a + 1] % grid[a] == 0, "patches: {} cannot be cut into {} patches per axis", x,
            engine::to_string(grid));
  return grid.volume();
}

namespace {

Extents inner(const Shape& x) { return {{x[1], x[2], x[3]}}; }

/// f(v, p) for every voxel v (flat index of [N,D,H,W]) of patch p of the batch.
template <class F>
void for_each_voxel(std::int64_t patch, const Extents& size, const Extents& grid, F&& f) {
  const std::int64_t per_image = grid.volume();
  Extents at, extent;
  const std::int64_t image = patch / per_image;
  engine::split(patch % per_image, grid, at);
  for (int a = 0; a < 3; ++a) extent[a] = size[a] / grid[a];
  Extents p;
  for (p[0] = at[0] * extent[0]; p[0] < (at[0] + 1) * extent[0]; ++p[0])
    for (p[1] = at[1] * extent[1]; p[1] < (at[1] + 1) * extent[1]; ++p[1])
      for (p[2] = at[2] * extent[2]; p[2] < (at[2] + 1) * extent[2]; ++p[2]) f(engine::join(image, p, size));
}

template <class T>
T channel_mean(const T* x, std::int64_t channels) {
  if (channels == 1) return *x;
  T s = 0;
  for (std::int64_t c = 0; c < channels; ++c) s += x[c];
  return s / T(channels);
}

/// numpy's linear percentile: between the two order statistics around q/100 (n − 1). Reorders `v`.
template <class T>
double percentile(std::vector<T>& v, double q) {
  const double at = q / 100 * double(v.size() - 1);
  const auto below = std::size_t(at), above = std::min(below + 1, v.size() - 1);
  std::nth_element(v.begin(), v.begin() + std::ptrdiff_t(below), v.end());
  const double a = v[below], t = at - double(below);
  const double b = above == below ? a : double(*std::min_element(v.begin() + std::ptrdiff_t(above), v.end()));
  return t < 0.5 ? a + (b - a) * t : b - (b - a) * (1 - t);
}

/// h(v) = −v ln v − (1−v) ln(1−v)
template <class T>
T binary_entropy(T v, EntropyForm form) {
  if (form == EntropyForm::clamped) v = std::clamp(v, T(1e-6), T(1 - 1e-6));
  const T w = 1 - v;
  return -((v > 0 ? v * std::log(v) : T(0)) + (w > 0 ? w * std::log(w) : T(0)));
}

void check_map(const Shape& image, const Shape& map, const char* who) {
  require(image.rank() == 5 && map.rank() == 5 && image.with(4, 1) == map.with(4, 1),
          "{}: image {} and class map {} do not cover the same voxels", who, image, map);
}

/// [N, P, K] of the mean over each patch of f(voxel, k), summed in double in voxel order.
template <class T, class F>
Tensor patch_mean(const Shape& map, const Extents& grid, F&& f) {
  const std::int64_t per_image = patches_per_image(map, grid), K = map[4];
  const Extents size = inner(map);
  Tensor out = Tensor::empty({map[0], per_image, K}, engine::dtype_of<T>);
  const double count = double(size.volume() / per_image);
  engine::parallel_for(map[0] * per_image, 1, [&](std::int64_t patch) {
    std::vector<double> sum(std::size_t(K), 0.0);
    for_each_voxel(patch, size, grid, [&](std::int64_t v) {
      for (std::int64_t k = 0; k < K; ++k) sum[std::size_t(k)] += double(f(v, k));
    });
    for (std::int64_t k = 0; k < K; ++k) out.data<T>()[patch * K + k] = T(sum[std::size_t(k)] / count);
  });
  return out;
}

}  // namespace

std::vector<Range> robust_range(const Tensor& x, double low, double high) {
  require(x.shape().rank() == 5 && x.size() > 0, "robust_range: expected [N,D,H,W,C], got {}", x.shape());
  const Tensor host = x.to(Device::cpu());
  const std::int64_t voxels = inner(x.shape()).volume(), C = x.shape()[4];
  std::vector<Range> ranges(std::size_t(x.shape()[0]));
  visit_float(x.dtype(), [&]<class T>(Type<T>) {
    engine::parallel_for(std::int64_t(ranges.size()), 1, [&](std::int64_t n) {
      std::vector<T> v(static_cast<std::size_t>(voxels));
      for (std::int64_t i = 0; i < voxels; ++i) v[std::size_t(i)] = channel_mean(host.data<T>() + (n * voxels + i) * C, C);
      ranges[std::size_t(n)] = {percentile(v, low), percentile(v, high)};
    });
  });
  return ranges;
}

Tensor unit_range(const Tensor& x, double low, double high) {
  const std::vector<Range> ranges = robust_range(x, low, high);
  const Tensor host = x.to(Device::cpu());
  Tensor out = Tensor::empty(x.shape().with(4, 1), x.dtype());
  const std::int64_t voxels = inner(x.shape()).volume(), C = x.shape()[4];
  visit_float(x.dtype(), [&]<class T>(Type<T>) {
    engine::parallel_for(out.size(), 1 << 14, [&](std::int64_t i) {
      const Range r = ranges[std::size_t(i / voxels)];
      const double v = (double(channel_mean(host.data<T>() + i * C, C)) - r.low) / std::max(r.high - r.low, 1e-12);
      out.data<T>()[i] = T(std::clamp(v, 0.0, 1.0));
    });
  });
  return out.to(x.device());
}

Tensor patch_entropy(const Tensor& image, const Tensor& class_map, const Extents& grid, EntropyForm form) {
  check_map(image.shape(), class_map.shape(), "patch_entropy");
  require<engine::DtypeError>(image.dtype() == class_map.dtype(), "patch_entropy: image {} and class map {}", image.dtype(),
                              class_map.dtype());
  const Tensor x = image.to(Device::cpu()), c = class_map.to(Device::cpu());
  const std::int64_t C = x.shape()[4], K = c.shape()[4];
  return visit_float(x.dtype(), [&]<class T>(Type<T>) {
    return patch_mean<T>(c.shape(), grid, [&](std::int64_t v, std::int64_t k) {
      const T attended = channel_mean(x.data<T>() + v * C, C) * c.data<T>()[v * K + k];  // X' = X ⊙ C^k
      // Departs from the paper: the minus of Eq. 1 stands before both terms; as printed it would cover only the first,
      // and the quantity would not be an entropy.
      return binary_entropy(attended, form);  // Eq. 1
    });
  });
}

Tensor patch_entropy_of_confidence(const Tensor& class_map, const Extents& grid, EntropyForm form) {
  const Tensor c = class_map.to(Device::cpu());
  return visit_float(c.dtype(), [&]<class T>(Type<T>) {
    return patch_mean<T>(c.shape(), grid, [&](std::int64_t v, std::int64_t k) {
      return binary_entropy(c.data<T>()[v * c.shape()[4] + k], form);
    });
  });
}

Tensor patch_confidence(const Tensor& class_map, const Extents& grid) {
  const Tensor c = class_map.to(Device::cpu());
  return visit_float(c.dtype(), [&]<class T>(Type<T>) {
    return patch_mean<T>(c.shape(), grid, [&](std::int64_t v, std::int64_t k) { return c.data<T>()[v * c.shape()[4] + k]; });
  });
}

Tensor patch_cosine(const Tensor& image, const Tensor& class_map, const Extents& grid) {
  check_map(image.shape(), class_map.shape(), "patch_cosine");
  const Tensor confidence = patch_confidence(class_map, grid);
  const std::int64_t P = confidence.shape()[0] * confidence.shape()[1], K = confidence.shape()[2];
  std::vector<Pick> anchors, all;
  const std::vector<double> mean = confidence.to_doubles();
  for (std::int64_t k = 0; k < K; ++k) {
    std::int64_t best = 0;
    for (std::int64_t p = 1; p < P; ++p)
      if (mean[std::size_t(p * K + k)] > mean[std::size_t(best * K + k)]) best = p;
    anchors.push_back({best, k});
  }
  const Tensor grey = image.to(Device::cpu()), map = class_map.to(Device::cpu());
  const Tensor reference = attended_patches(grey, map, grid, anchors);
  Tensor out = Tensor::empty(confidence.shape(), confidence.dtype());
  const std::int64_t length = reference.size() / K;
  visit_float(confidence.dtype(), [&]<class T>(Type<T>) {
    engine::parallel_for(P, 1, [&](std::int64_t p) {
      for (std::int64_t k = 0; k < K; ++k) {
        const Tensor patch = attended_patches(grey, map, grid, {{p, k}});
        const T *a = patch.data<T>(), *b = reference.data<T>() + k * length;
        double ab = 0, aa = 0, bb = 0;
        for (std::int64_t i = 0; i < length; ++i)
          ab += double(a[i]) * b[i], aa += double(a[i]) * a[i], bb += double(b[i]) * b[i];
        out.data<T>()[p * K + k] = T(aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0);
      }
    });
  });
  return out;
}

Tensor attended_patches(const Tensor& image, const Tensor& class_map, const Extents& grid, const std::vector<Pick>& picks) {
  check_map(image.shape(), class_map.shape(), "attended_patches");
  require<engine::DtypeError>(image.dtype() == class_map.dtype(), "attended_patches: image {} and class map {}",
                              image.dtype(), class_map.dtype());
  const std::int64_t per_image = patches_per_image(image.shape(), grid), C = image.shape()[4], K = class_map.shape()[4];
  const Extents size = inner(image.shape());
  for (const Pick& pick : picks)
    require<engine::UsageError>(
        pick.patch >= 0 && pick.patch < image.shape()[0] * per_image && pick.label >= 0 && pick.label < K,
        "attended_patches: patch {} of class {}, there are {} patches and {} classes", pick.patch, pick.label,
        image.shape()[0] * per_image, K);
  const Tensor x = image.to(Device::cpu()), c = class_map.to(Device::cpu());
  Tensor out =
      Tensor::empty({std::int64_t(picks.size()), size[0] / grid[0], size[1] / grid[1], size[2] / grid[2], C}, x.dtype());
  visit_float(x.dtype(), [&]<class T>(Type<T>) {
    engine::parallel_for(std::int64_t(picks.size()), 1, [&](std::int64_t i) {
      T* y = out.data<T>() + i * (size.volume() / per_image) * C;
      const Pick pick = picks[std::size_t(i)];
      for_each_voxel(pick.patch, size, grid, [&](std::int64_t v) {
        const T weight = c.data<T>()[v * K + pick.label];
        for (std::int64_t j = 0; j < C; ++j) *y++ = x.data<T>()[v * C + j] * weight;
      });
    });
  });
  return out.to(image.device());
}

Tensor one_hot(const Tensor& labels, std::int64_t n_classes, Dtype dtype) {
  require(labels.shape().rank() == 4 && n_classes > 0, "one_hot: expected labels [N,D,H,W] and n_classes > 0, got {} and {}",
          labels.shape(), n_classes);
  const Tensor host = labels.to(Device::cpu());
  const Shape& s = labels.shape();
  Tensor out = Tensor::zeros({s[0], s[1], s[2], s[3], n_classes}, dtype);
  visit_float(dtype, [&]<class T>(Type<T>) {
    visit_any(host.dtype(), [&]<class L>(Type<L>) {
      for (std::int64_t i = 0; i < host.size(); ++i) {
        const std::int64_t k = std::int64_t(host.data<L>()[i]);
        require<engine::DataError>(k >= -1 && k < n_classes, "one_hot: label {} at voxel {}, there are {} classes", k, i,
                                   n_classes);
        if (k >= 0) out.data<T>()[i * n_classes + k] = 1;
      }
    });
  });
  return out.to(labels.device());
}

}  // namespace sagcl::semiagcl
