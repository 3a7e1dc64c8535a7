#include "engine/devices/buffer.h"
#include "ops/cuda/cuda_backend.cuh"
#include "ops/cuda/fours.cuh"
#include "ops/cuda/norm_kernels.cuh"

namespace sagcl::ops::cuda {
namespace {

std::int64_t outer_of(const NormGeometry& g) { return g.N / g.images; }
NormPlan plan_of(const NormGeometry& g) { return NormPlan(outer_of(g), g.images * g.V, g.C); }
unsigned grid_of(const NormPlan& p) { return unsigned(p.outer * p.chunks); }

struct FillTable {
  NormTable table;
  std::int64_t C, channels;
  double eps;
  const float *mean, *variance, *gamma, *beta;
  __device__ void operator()(std::int64_t cell) const {
    const std::int64_t c = cell % C, set = cell / C * (C / channels) + c / channels;
    table.mean()[cell] = mean[set];
    table.inverse()[cell] = float(1 / sqrt(double(variance[set]) + eps));
    table.gamma()[cell] = gamma[c];
    table.beta()[cell] = beta[c];
    table.pull()[cell] = table.pull_x()[cell] = 0;
  }
};

/// The table for the time of one call.
struct Table {
  engine::Buffer memory;
  NormTable table;
  Table(const NormGeometry& g, double eps, const Tensor& mean, const Tensor& variance, const Tensor& gamma,
        const Tensor& beta)
      : memory(device(), std::size_t(6 * outer_of(g) * g.C) * sizeof(float)),
        table{static_cast<float*>(memory.data()), outer_of(g) * g.C} {
    CudaLaunch::for_each(table.cells, FillTable{table, g.C, g.channels, eps, mean.data<float>(), variance.data<float>(),
                                                gamma.data<float>(), beta.data<float>()});
  }
};

/// sums[{g, g x̂}, cell] from the chunks, one block per cell.
__global__ void __launch_bounds__(128)
    join_sums_kernel(std::int64_t chunks, std::int64_t C, std::int64_t cells, const double* partial, double* sums) {
  __shared__ double shared[2][128];
  const int t = int(threadIdx.x);
  const std::int64_t o = blockIdx.x / C, c = blockIdx.x % C;
  for (int s = 0; s < 2; ++s) {
    double total = 0;
    for (std::int64_t chunk = t; chunk < chunks; chunk += 128)
      total += partial[(s * (cells / C) * chunks + o * chunks + chunk) * C + c];
    shared[s][t] = total;
  }
  __syncthreads();
  for (int step = 64; step > 0; step /= 2) {
    if (t < step) shared[0][t] += shared[0][t + step], shared[1][t] += shared[1][t + step];
    __syncthreads();
  }
  if (t < 2) sums[t * cells + blockIdx.x] = shared[t][0];
}

/// dγ and dβ, and the means over each set that dx needs; one thread per cell.
struct FinishSums {
  NormTable table;
  std::int64_t outer, C, channels;
  double count;
  bool fixed;
  const double* sums;
  float *dgamma, *dbeta;
  __device__ void operator()(std::int64_t cell) const {
    const std::int64_t cells = outer * C, first = cell / C * C + cell % C / channels * channels;
    if (!fixed) {
      double g = 0, gx = 0;
      for (std::int64_t c = first; c < first + channels; ++c)
        g += double(table.gamma()[c]) * sums[c], gx += double(table.gamma()[c]) * sums[cells + c];
      table.pull()[cell] = float(g / count);
      table.pull_x()[cell] = float(gx / count);
    }
    if (cell >= C) return;
    double beta = 0, gamma = 0;
    for (std::int64_t o = 0; o < outer; ++o) beta += sums[o * C + cell], gamma += sums[cells + o * C + cell];
    dbeta[cell] = float(beta);
    dgamma[cell] = float(gamma);
  }
};

/// f32, channels in fours and at most 1024.
bool is_fast(const NormGeometry& g, const Tensor& x) {
  return x.dtype() == engine::Dtype::f32 && g.C % 4 == 0 && g.C <= 4 * norm_threads && outer_of(g) <= 4096;
}

}  // namespace

void CudaBackend::norm_statistics(const NormGeometry& g, const Tensor& x, Tensor& mean, Tensor& variance) {
  if (!is_fast(g, x)) return Shared::norm_statistics(g, x, mean, variance);
  const NormPlan plan = plan_of(g);
  const engine::Buffer partial(device(), std::size_t(plan.outer * plan.chunks * plan.C) * sizeof(Moments));
  Moments* moments = static_cast<Moments*>(partial.data());
  moments_kernel<<<grid_of(plan), norm_threads, 0, stream()>>>(plan, fours(x), moments);
  check_launch("norm_statistics");
  join_moments_kernel<<<unsigned(g.sets()), norm_threads, 0, stream()>>>(plan.chunks, g.C, g.channels, moments,
                                                                         mean.data<float>(), variance.data<float>());
  check_launch("norm_statistics");
}

void CudaBackend::norm_apply(const NormOperands& n, Tensor& y) {
  const auto& [g, act, eps, x, mean, variance, gamma, beta] = n;
  if (!is_fast(g, x)) return Shared::norm_apply(n, y);
  const NormPlan plan = plan_of(g);
  const Table t(g, eps, mean, variance, gamma, beta);
  norm_apply_kernel<<<grid_of(plan), norm_threads, 0, stream()>>>(plan, t.table, float(act.slope), fours(x), fours(y));
  check_launch("norm_apply");
}

void CudaBackend::norm_backward(const NormOperands& n, bool fixed, const Tensor& dy, Tensor& dx, Tensor& dgamma,
                                Tensor& dbeta) {
  const auto& [g, act, eps, x, mean, variance, gamma, beta] = n;
  if (!is_fast(g, x)) return Shared::norm_backward(n, fixed, dy, dx, dgamma, dbeta);
  const NormPlan plan = plan_of(g);
  const Table t(g, eps, mean, variance, gamma, beta);
  const std::int64_t cells = t.table.cells;
  const engine::Buffer partial(device(), std::size_t(2 * cells * plan.chunks) * sizeof(double)),
      joined(device(), std::size_t(2 * cells) * sizeof(double));
  double *chunks = static_cast<double*>(partial.data()), *sums = static_cast<double*>(joined.data());
  norm_sums_kernel<<<grid_of(plan), norm_threads, 0, stream()>>>(plan, t.table, float(act.slope), fours(x), fours(dy),
                                                                 chunks);
  check_launch("norm_backward, sums");
  join_sums_kernel<<<unsigned(cells), 128, 0, stream()>>>(plan.chunks, g.C, cells, chunks, sums);
  check_launch("norm_backward, joining sums");
  CudaLaunch::for_each(cells, FinishSums{t.table, plan.outer, g.C, g.channels, double(g.count()), fixed, sums,
                                         dgamma.data<float>(), dbeta.data<float>()});
  norm_input_kernel<<<grid_of(plan), norm_threads, 0, stream()>>>(plan, t.table, float(act.slope), fours(x), fours(dy),
                                                                  fours(dx));
  check_launch("norm_backward, input");
}

}  // namespace sagcl::ops::cuda
