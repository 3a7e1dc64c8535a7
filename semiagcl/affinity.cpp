#include "semiagcl/affinity.h"

#include <cmath>

#include "ops/arithmetic.h"
#include "ops/layout.h"
#include "ops/reduce.h"
#include "ops/selection.h"
#include "semiagcl/patches.h"

namespace sagcl::semiagcl {

using engine::require;
using engine::Shape;

Variable patch_vectors(const Variable& probabilities, const Extents& grid, PatchVector kind, double power) {
  const Shape s = probabilities.shape();
  const std::int64_t P = patches_per_image(s, grid), voxels = s[1] * s[2] * s[3] / P, C = s[4];
  const Variable rows = ops::patches(probabilities, grid);  // [N·P, d,h,w, C]
  if (kind == PatchVector::mean) return ops::reshape(ops::global_average_pool(rows), {s[0], P, C});
  // Departs from the paper: the division is ours. Without it distances grow with the patch and σ would depend on its size.
  return ops::scale(ops::reshape(rows, {s[0], P, voxels * C}), std::pow(double(voxels), -power));
}

Variable join_graphs(const Variable& vectors) {
  const Shape s = vectors.shape();
  require(s.rank() == 3, "join_graphs: expected [N, patches, features], got {}", s);
  return ops::reshape(vectors, {1, s[0] * s[1], s[2]});
}

Tensor median_bandwidth2(const Tensor& teacher_vectors, ops::Metric metric, double low, double high) {
  require(teacher_vectors.shape().rank() == 3, "median_bandwidth2: expected [graphs, nodes, features], got {}",
          teacher_vectors.shape());
  const std::int64_t G = teacher_vectors.shape()[0], N = teacher_vectors.shape()[1];
  if (N == 1) return Tensor::full({G}, high, teacher_vectors.dtype(), teacher_vectors.device());
  const Variable t(teacher_vectors);
  const Tensor d = ops::pairwise_distance(t, t, metric).value();
  // The N distances of nodes to themselves are 0, so they are the smallest: what is left is off the diagonal.
  const Tensor median = ops::quantiles(d.reshape({G, N * N}), {0.5}, N);
  // Departs from the paper: it calls σ "adaptive" and gives no rule. Half the median makes the median pair e^{-1} alike.
  return ops::clamp(ops::scale(Variable(median.reshape({G})), 0.5).value(), low, high);
}

Variable affinity(const Tensor& teacher_vectors, const Variable& student_vectors, ops::Metric metric, const Tensor& sigma2) {
  // Departs from the paper: Listing 1 takes the plain distance and swaps teacher and student; this is Eq. 2.
  const Variable d = ops::pairwise_distance(Variable(teacher_vectors), student_vectors, metric);
  return ops::gaussian_kernel(d, sigma2);  // Eq. 2
}

AffinityGraph affinity_graph(const Tensor& teacher_probabilities, const Variable& student_probabilities, const Method& m) {
  require(teacher_probabilities.shape() == student_probabilities.shape(), "affinity_graph: teacher {} and student {} differ",
          teacher_probabilities.shape(), student_probabilities.shape());
  const bool l1 = m.kernel == Kernel::l1;
  const ops::Metric metric = l1 ? ops::Metric::l1 : ops::Metric::squared_l2;
  Variable t = patch_vectors(Variable(teacher_probabilities), m.patch_grid, m.patch_vector, l1 ? 1 : 0.5);
  Variable s = patch_vectors(student_probabilities, m.patch_grid, m.patch_vector, l1 ? 1 : 0.5);
  if (m.graph == GraphOver::batch) t = join_graphs(t), s = join_graphs(s);
  const Tensor sigma2 =
      m.bandwidth == Bandwidth::adaptive
          ? median_bandwidth2(t.value(), metric, m.bandwidth2_low, m.bandwidth2_high)
          : Tensor::full({t.shape()[0]}, m.bandwidth_fixed * m.bandwidth_fixed, t.value().dtype(), t.value().device());
  return {affinity(t.value(), s, metric, sigma2), sigma2};
}

Tensor diagonal(const Tensor& a) { return ops::diagonal(a).reshape({a.shape()[0] * a.shape()[1]}); }

}  // namespace sagcl::semiagcl
