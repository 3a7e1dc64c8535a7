#include "ops/cuda/cuda_backend.cuh"
#include "ops/cuda/fours.cuh"
#include "ops/cuda/norm_kernels.cuh"
#include "ops/cuda/runtime/scratch.h"

namespace sagcl::ops::cuda {
namespace {

std::int64_t outer_of(const NormGeometry& g) { return g.N / g.images; }
NormPlan plan_of(const NormGeometry& g) { return NormPlan(outer_of(g), g.images * g.V, g.C); }
unsigned grid_of(const NormPlan& p) { return unsigned(p.outer * p.chunks); }

NormChannels channels_of(const NormOperands& n) {
  return {int(n.g.C),           int(n.g.channels),        n.eps,
          n.mean.data<float>(), n.variance.data<float>(), n.gamma.data<float>(),
          n.beta.data<float>()};
}

/// Channels in fours and at most 1024.
bool is_fast(const NormGeometry& g, const Tensor& x) {
  return is_f32_or_bf16(x) && g.C % 4 == 0 && g.C <= 4 * norm_threads && outer_of(g) <= 4096;
}

}  // namespace

void CudaBackend::norm_statistics(const NormGeometry& g, const Tensor& x, Tensor& mean, Tensor& variance) {
  if (!is_fast(g, x)) return Shared::norm_statistics(g, x, mean, variance);
  const NormPlan plan = plan_of(g);
  const engine::Buffer partial(device(), std::size_t(plan.outer * plan.chunks * plan.C) * sizeof(Moments));
  Moments* moments = static_cast<Moments*>(partial.data());
  visit_fours(x, [&](auto type) {
    moments_kernel<<<grid_of(plan), norm_threads, 0, stream()>>>(plan, fours<typename decltype(type)::type>(x), moments);
  });
  check_launch("norm_statistics");
  join_moments_kernel<<<unsigned(g.sets()), norm_threads, 0, stream()>>>(plan.chunks, g.C, g.channels, moments,
                                                                         mean.data<float>(), variance.data<float>());
  check_launch("norm_statistics");
}

void CudaBackend::norm_apply(const NormOperands& n, Tensor& y) {
  const auto& [g, act, eps, x, mean, variance, gamma, beta] = n;
  if (!is_fast(g, x)) return Shared::norm_apply(n, y);
  const NormPlan plan = plan_of(g);
  visit_fours(x, [&](auto type) {
    using V = typename decltype(type)::type;
    norm_apply_kernel<<<grid_of(plan), norm_threads, 0, stream()>>>(plan, channels_of(n), float(n.act.slope), fours<V>(n.x),
                                                                    fours<V>(y));
  });
  check_launch("norm_apply");
}

void CudaBackend::norm_backward(const NormOperands& n, bool fixed, const Tensor& dy, Tensor& dx, Tensor& dgamma,
                                Tensor& dbeta) {
  const auto& [g, act, eps, x, mean, variance, gamma, beta] = n;
  if (!is_fast(g, x)) return Shared::norm_backward(n, fixed, dy, dx, dgamma, dbeta);
  const NormPlan plan = plan_of(g);
  const NormChannels channels = channels_of(n);
  const std::int64_t cells = plan.outer * plan.C;
  const Scratch<double> partial(2 * cells * plan.chunks), sums(2 * cells);
  const Scratch<float> pull(2 * cells);
  visit_fours(x, [&](auto type) {
    using V = typename decltype(type)::type;
    norm_sums_kernel<<<grid_of(plan), norm_threads, 0, stream()>>>(plan, channels, float(n.act.slope), fours<V>(n.x),
                                                                   fours<V>(dy), partial.data());
  });
  check_launch("norm_backward, sums");
  join_norm_sums_kernel<<<unsigned(cells), join_threads, 0, stream()>>>(
      plan, channels, fixed, partial.data(), sums.data(), pull.data(), dgamma.data<float>(), dbeta.data<float>());
  check_launch("norm_backward, joining sums");
  visit_fours(x, [&](auto type) {
    using V = typename decltype(type)::type;
    norm_input_kernel<<<grid_of(plan), norm_threads, 0, stream()>>>(plan, channels, float(n.act.slope), pull.data(),
                                                                    fours<V>(n.x), fours<V>(dy), fours<V>(dx));
  });
  check_launch("norm_backward, input");
}

}  // namespace sagcl::ops::cuda
