#include "engine/devices/buffer.h"
#include "ops/cuda/cuda_backend.cuh"
#include "ops/cuda/fours.cuh"

namespace sagcl::ops::cuda {
namespace {

/// partial[chunk, C] = Σ of the chunk's rows of [rows, C]; a block's threads form `height` rows of `lanes` times 4 channels.
__global__ void __launch_bounds__(block_threads)
    row_sums_kernel(std::int64_t rows, std::int64_t rows_each, int lanes, int height, const float4* x, double* partial) {
  __shared__ double shared[block_threads * 4];
  const int t = int(threadIdx.x), lane = t % lanes, y = t / lanes;
  const std::int64_t begin = blockIdx.x * rows_each, end = begin + rows_each < rows ? begin + rows_each : rows;
  float sum[4] = {};
  if (y < height) {
#pragma unroll 4
    for (std::int64_t r = begin + y; r < end; r += height) {
      const float4 v = x[r * lanes + lane];
      sum[0] += v.x, sum[1] += v.y, sum[2] += v.z, sum[3] += v.w;
    }
  }
  for (int c = 0; c < 4; ++c) shared[t * 4 + c] = double(sum[c]);
  __syncthreads();
  for (int step = block_threads / 2; step > 0; step /= 2) {
    if (y < step && y + step < height)
      for (int c = 0; c < 4; ++c) shared[t * 4 + c] += shared[(t + step * lanes) * 4 + c];
    __syncthreads();
  }
  if (y == 0)
    for (int c = 0; c < 4; ++c) partial[(std::int64_t(blockIdx.x) * lanes + lane) * 4 + c] = shared[t * 4 + c];
}

/// y[c] = scale Σ over the chunks, one block per column.
__global__ void __launch_bounds__(128)
    join_row_sums_kernel(std::int64_t chunks, std::int64_t C, double scale, const double* partial, float* y) {
  __shared__ double shared[128];
  const int t = int(threadIdx.x);
  double total = 0;
  for (std::int64_t chunk = t; chunk < chunks; chunk += 128) total += partial[chunk * C + blockIdx.x];
  shared[t] = total;
  __syncthreads();
  for (int step = 64; step > 0; step /= 2) {
    if (t < step) shared[t] += shared[t + step];
    __syncthreads();
  }
  if (t == 0) y[blockIdx.x] = float(scale * shared[0]);
}

}  // namespace

void CudaBackend::sum(const Tensor& x, const Axes& v, double scale, Tensor& y) {
  if (x.dtype() == engine::Dtype::bf16) return sum(wide(x), v, scale, y);
  if (x.dtype() != engine::Dtype::f32 || v.outer != 1 || v.inner % 4 != 0 || v.inner > 4 * block_threads || v.reduced < 64)
    return Shared::sum(x, v, scale, y);
  const int lanes = int(v.inner / 4), height = block_threads / lanes;
  constexpr std::int64_t blocks = 1056,
                         shortest = 8;  // as many for every GPU: the order of additions depends on the sizes alone
  const std::int64_t most = (v.reduced + height * shortest - 1) / (height * shortest),
                     wanted = blocks < most ? blocks : most;
  const std::int64_t rows_each = (v.reduced + wanted - 1) / wanted, chunks = (v.reduced + rows_each - 1) / rows_each;
  const engine::Buffer partial(device(), std::size_t(chunks * v.inner) * sizeof(double));
  auto* sums = static_cast<double*>(partial.data());
  row_sums_kernel<<<unsigned(chunks), block_threads, 0, stream()>>>(v.reduced, rows_each, lanes, height, fours(x), sums);
  check_launch("sum, first stage");
  join_row_sums_kernel<<<unsigned(v.inner), 128, 0, stream()>>>(chunks, v.inner, scale, sums, y.data<float>());
  check_launch("sum, second stage");
}

}  // namespace sagcl::ops::cuda
