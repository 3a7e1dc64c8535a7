#include "semiagcl/patches.h"

#include "ops/arithmetic.h"
#include "ops/gather.h"
#include "ops/layout.h"
#include "ops/matmul.h"
#include "ops/reduce.h"
#include "ops/selection.h"
#include "semiagcl/kernels/backend.h"

namespace sagcl::semiagcl {

using autograd::Variable;
using engine::Dtype;
using engine::require;
using engine::Shape;

std::int64_t patches_per_image(const Shape& x, const Extents& grid) {
  require(x.rank() == 5, "patches: expected [N,D,H,W,C], got {}", x);
  for (int a = 0; a < 3; ++a)
    require(grid[a] > 0 && x[a + 1] % grid[a] == 0, "patches: {} cannot be cut into {} patches per axis", x,
            engine::to_string(grid));
  return grid.volume();
}

namespace {

/// The mean over channels: [N,D,H,W,C] -> [N,D,H,W,1].
Tensor grey(const char* who, const Tensor& x) {
  require(x.shape().rank() == 5 && x.size() > 0, "{}: expected [N,D,H,W,C], got {}", who, x.shape());
  if (x.shape()[4] == 1) return x;
  return ops::mean_axis(Variable(x), 4).value().reshape(x.shape().with(4, 1));
}

void check_map(const char* who, const Tensor& image, const Tensor& map) {
  const Shape &x = image.shape(), &c = map.shape();
  require(x.rank() == 5 && c.rank() == 5 && x.with(4, 1) == c.with(4, 1),
          "{}: image {} and class map {} do not cover the same voxels", who, x, c);
  require<engine::DtypeError>(image.dtype() == map.dtype(), "{}: image {} and class map {}", who, image.dtype(),
                              map.dtype());
  require<engine::DeviceError>(image.device() == map.device(), "{}: image on {} and class map on {}", who, image.device(),
                               map.device());
}

/// The means over each patch, [N, P, K], of a function of x c_k; x [N,D,H,W,1], or undefined for 1.
Tensor patch_means(PatchMean f, const Tensor& x, const Tensor& c, const Extents& grid) {
  Tensor means = Tensor::empty({c.shape()[0], patches_per_image(c.shape(), grid), c.shape()[4]}, c.dtype(), c.device());
  paper_backend(c.device()).patch_means(f, grid, x, c, means);
  return means;
}

PatchMean entropy(EntropyForm form) {
  return form == EntropyForm::clamped ? PatchMean::clamped_entropy : PatchMean::entropy;
}

}  // namespace

Tensor robust_range(const Tensor& x, double low, double high) {
  const Tensor v = grey("robust_range", x);
  const std::int64_t N = v.shape()[0];
  return ops::quantiles(v.reshape({N, v.size() / N}), {low / 100, high / 100});
}

Tensor unit_range(const Tensor& x, double low, double high) {
  const Tensor v = grey("unit_range", x), range = robust_range(v, low, high);
  const std::int64_t N = v.shape()[0];
  return ops::unit_range(v.reshape({N, v.size() / N}), range).reshape(v.shape());
}

Tensor patch_entropy(const Tensor& image, const Tensor& class_map, const Extents& grid, EntropyForm form) {
  check_map("patch_entropy", image, class_map);
  return patch_means(entropy(form), grey("patch_entropy", image), class_map, grid);
}

Tensor patch_entropy_of_confidence(const Tensor& class_map, const Extents& grid, EntropyForm form) {
  return patch_means(entropy(form), {}, class_map, grid);
}

Tensor patch_confidence(const Tensor& class_map, const Extents& grid) {
  return patch_means(PatchMean::value, {}, class_map, grid);
}

Tensor patch_cosine(const Tensor& image, const Tensor& class_map, const Extents& grid) {
  check_map("patch_cosine", image, class_map);
  const Tensor confidence = patch_confidence(class_map, grid);
  const std::int64_t K = confidence.shape()[2], P = confidence.size() / K;
  const Variable x(grey("patch_cosine", image)), mean(confidence.reshape({P, K}));
  std::vector<Variable> similarity;  // [P, 1] of each class
  for (std::int64_t k = 0; k < K; ++k) {
    // of X' = X ⊙ C^k
    const Variable attended = ops::patches(ops::multiply(x, ops::slice(Variable(class_map), 4, k, 1)), grid);
    // zeros stay zeros
    const Variable rows = ops::l2_normalise(ops::reshape(attended, {P, x.value().size() / P}));
    const Tensor score = ops::slice(mean, 1, k, 1).value();
    const Tensor anchor = ops::top_rows(score, score, 0, 1).picks;
    similarity.push_back(ops::matmul(rows, ops::gather(rows, anchor.reshape({1})), {.transpose_b = true}));
  }
  return ops::concat(similarity, 1).value().reshape(confidence.shape());
}

void check_picks(const char* who, const Tensor& picks, const Shape& class_map, const Extents& grid) {
  const std::int64_t patches = class_map[0] * patches_per_image(class_map, grid);
  require<engine::DtypeError>(picks.dtype() == Dtype::i32, "{}: picks must be i32, got {}", who, picks.dtype());
  require(picks.shape().rank() == 2 && picks.shape()[0] == class_map[4], "{}: picks must be [{}, n], got {}", who,
          class_map[4], picks.shape());
  if (!picks.device().is_cpu()) return;
  for (std::int64_t i = 0; i < picks.size(); ++i) {
    const std::int32_t patch = picks.data<std::int32_t>()[i];
    require<engine::UsageError>(patch >= 0 && patch < patches, "{}: patch {}, there are {} patches", who, patch, patches);
  }
}

Tensor attended_patches(const Tensor& image, const Tensor& class_map, const Extents& grid, const Tensor& picks) {
  check_map("attended_patches", image, class_map);
  check_picks("attended_patches", picks, class_map.shape(), grid);
  const Shape& s = image.shape();
  const Shape patches{picks.size(), s[1] / grid[0], s[2] / grid[1], s[3] / grid[2], s[4]};
  Tensor attended = Tensor::empty(patches, image.dtype(), image.device());
  paper_backend(image.device()).attended_patches(grid, image, class_map, picks, attended);
  return attended;
}

Tensor one_hot(const Tensor& labels, std::int64_t n_classes, Dtype dtype) {
  const Shape& s = labels.shape();
  require(s.rank() == 4 && n_classes > 0, "one_hot: expected labels [N,D,H,W] and n_classes > 0, got {} and {}", s,
          n_classes);
  require<engine::DtypeError>(labels.dtype() == Dtype::i32 || labels.dtype() == Dtype::u8,
                              "one_hot: labels must be i32 or u8, got {}", labels.dtype());
  if (labels.device().is_cpu())
    visit_any(labels.dtype(), [&]<class L>(engine::Type<L>) {
      for (std::int64_t i = 0; i < labels.size(); ++i) {
        const auto k = std::int64_t(labels.data<L>()[i]);
        require<engine::DataError>(k >= -1 && k < n_classes, "one_hot: label {} at voxel {}, there are {} classes", k, i,
                                   n_classes);
      }
    });
  return ops::one_hot(labels, n_classes, dtype);
}

}  // namespace sagcl::semiagcl
