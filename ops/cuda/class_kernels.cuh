#pragma once
// Softmax and cross entropy of 2, 3 or 4 classes, at the speed of the memory: z is read in packs of a few voxels, 16 bytes
// per access, and a thread has several packs under way. What a voxel computes is that of ops/kernels/softmax.inl and
// cross_entropy.inl.
#include "ops/cuda/loops.cuh"
#include "ops/kernels/exponential.h"

namespace sagcl::ops::cuda {

/// As few whole rows of C classes as fill 16 bytes, or a multiple of them.
template <int C>
struct alignas(16) Pack {
  static constexpr int rows = C == 2 ? 2 : C == 3 ? 4 : 1;
  float v[rows][C];
};

/// The labels of a pack's rows.
template <int C>
struct alignas(4 * Pack<C>::rows) PackLabels {
  std::int32_t at[Pack<C>::rows];
};

template <int C>
__device__ float largest_of(const float (&z)[C]) {
  float largest = z[0];
#pragma unroll
  for (int c = 1; c < C; ++c) largest = z[c] > largest ? z[c] : largest;
  return largest;
}

/// e^(z - m) of a row, m its maximum, and their sum. Of two classes one is e^0.
template <int C>
struct RowExponentials {
  float e[C], sum = 0, largest;
  __device__ explicit RowExponentials(const float (&z)[C]) : largest(largest_of(z)) {
    if constexpr (C == 2) {
      const bool second = z[1] > z[0];
      const float one = 1.0f + (largest - largest),  // NaN where the maximum is not finite
          rest = kernels::exponential((second ? z[0] : z[1]) - largest);
      e[0] = second ? rest : one;
      e[1] = second ? one : rest;
      sum = one + rest;
    } else {
#pragma unroll
      for (int c = 0; c < C; ++c) sum += e[c] = kernels::exponential(z[c] - largest);
    }
  }
};

/// y = softmax(x) or its logarithm. y may be x.
template <int C, bool logarithm>
struct SoftmaxPack {
  const Pack<C>* x;
  Pack<C>* y;
  using Input = Pack<C>;
  __device__ Input load(std::uint32_t i) const { return x[i]; }
  __device__ void store(std::uint32_t i, const Input& in) const {
    Pack<C> out;
#pragma unroll
    for (int r = 0; r < Pack<C>::rows; ++r) {
      const RowExponentials<C> row(in.v[r]);
      const float last = logarithm ? kernels::logarithm(row.sum) : 1.0f / row.sum;
#pragma unroll
      for (int c = 0; c < C; ++c) out.v[r][c] = logarithm ? (in.v[r][c] - row.largest) - last : row.e[c] * last;
    }
    y[i] = out;
  }
};

/// dx = y (dy - Σ y dy); for the logarithm dx = dy - e^y Σ dy. dx may be dy.
template <int C, bool logarithm>
struct SoftmaxBackwardPack {
  const Pack<C>*y, *dy;
  Pack<C>* dx;
  struct Input {
    Pack<C> y, dy;
  };
  __device__ Input load(std::uint32_t i) const { return {y[i], dy[i]}; }
  __device__ void store(std::uint32_t i, const Input& in) const {
    Pack<C> out;
#pragma unroll
    for (int r = 0; r < Pack<C>::rows; ++r) {
      const float *p = in.y.v[r], *d = in.dy.v[r];
      float sum = 0;
#pragma unroll
      for (int c = 0; c < C; ++c) sum += logarithm ? d[c] : p[c] * d[c];
#pragma unroll
      for (int c = 0; c < C; ++c) out.v[r][c] = logarithm ? d[c] - kernels::exponential(p[c]) * sum : p[c] * (d[c] - sum);
    }
    dx[i] = out;
  }
};

/// dz[r, c] = (p_c - [c = t]) dloss / max(1, count), 0 where not counted
template <int C>
struct CrossEntropyBackwardPack {
  const Pack<C>* z;
  const PackLabels<C>* labels;
  const float *count, *dloss;
  Pack<C>* dz;
  struct Input {
    Pack<C> z;
    PackLabels<C> labels;
  };
  __device__ Input load(std::uint32_t i) const { return {z[i], labels[i]}; }
  __device__ void store(std::uint32_t i, const Input& in) const {
    const float weight = dloss[0] / (count[0] > 1 ? count[0] : 1.0f);
    Pack<C> out;
#pragma unroll
    for (int r = 0; r < Pack<C>::rows; ++r) {
      const RowExponentials<C> row(in.z.v[r]);
      const std::int32_t t = in.labels.at[r];
      const float share = 1.0f / row.sum;
#pragma unroll
      for (int c = 0; c < C; ++c) out.v[r][c] = t < 0 ? 0.0f : (row.e[c] * share - float(c == t)) * weight;
    }
    dz[i] = out;
  }
};

/// f.store(i, f.load(i)) for every pack; a thread takes two, and loads both before it stores.
template <class F>
__global__ void __launch_bounds__(block_threads) packs_kernel(std::uint32_t packs, F f) {
  const std::uint32_t i = blockIdx.x * (2 * block_threads) + threadIdx.x, j = i + block_threads;
  if (j < packs) {
    const typename F::Input first = f.load(i), second = f.load(j);
    f.store(i, first);
    f.store(j, second);
  } else if (i < packs) {
    f.store(i, f.load(i));
  }
}

/// Blocks of cross_entropy_kernel: as many on every GPU, so that the order of additions depends on the sizes alone.
inline unsigned cross_entropy_blocks(std::int64_t packs) {
  constexpr std::int64_t most = 528, each = 4 * block_threads;
  const std::int64_t wanted = (packs + each - 1) / each;
  return unsigned(wanted < most ? wanted : most);
}

__device__ unsigned cross_entropy_finished = 0;

__device__ inline void add_over_block(double (&shared)[2][block_threads]) {
  const int t = int(threadIdx.x);
  __syncthreads();
  for (int step = block_threads / 2; step > 0; step /= 2) {
    if (t < step) shared[0][t] += shared[0][t + step], shared[1][t] += shared[1][t + step];
    __syncthreads();
  }
}

/// loss = Σ counted (log Σ e^z - z_t) / max(1, counted), count = counted, in one pass: the block that finishes last adds
/// partial[2, blocks], always in the order of the blocks.
template <int C>
__global__ void __launch_bounds__(block_threads, 4)
    cross_entropy_kernel(std::uint32_t packs, const Pack<C>* z, const PackLabels<C>* labels, volatile double* partial,
                         float* loss, float* count) {
  constexpr std::uint32_t batch = C == 3 ? 2 : 4;  // packs whose reads are under way together
  __shared__ double shared[2][block_threads];
  const int thread = int(threadIdx.x);
  const std::uint32_t step = gridDim.x * block_threads;
  double total = 0;
  int counted = 0;
#pragma unroll 1
  for (std::uint32_t i = blockIdx.x * block_threads + threadIdx.x; i < packs; i += batch * step) {
    Pack<C> scores[batch];
    PackLabels<C> marks[batch];
#pragma unroll
    for (std::uint32_t k = 0; k < batch; ++k) {
      const bool inside = i + k * step < packs;  // what lies beyond counts nothing, the first pack is as good as any
      scores[k] = z[inside ? i + k * step : 0];
      marks[k] = labels[inside ? i + k * step : 0];
      if (!inside)
        for (std::int32_t& label : marks[k].at) label = -1;
    }
#pragma unroll
    for (std::uint32_t k = 0; k < batch; ++k) {
      float part = 0;
#pragma unroll
      for (int r = 0; r < Pack<C>::rows; ++r) {
        const std::int32_t t = marks[k].at[r];
        const RowExponentials<C> row(scores[k].v[r]);
        float target = scores[k].v[r][0];
#pragma unroll
        for (int c = 1; c < C; ++c) target = t == c ? scores[k].v[r][c] : target;
        part += t < 0 ? 0.0f : kernels::logarithm(row.sum) + row.largest - target;
        counted += t >= 0;
      }
      total += double(part);
    }
  }
  shared[0][thread] = total, shared[1][thread] = counted;
  add_over_block(shared);
  if (thread == 0) {
    partial[blockIdx.x] = shared[0][0];
    partial[gridDim.x + blockIdx.x] = shared[1][0];
  }
  if (!is_last_block(cross_entropy_finished)) return;
  double sum = 0, rows = 0;
  for (unsigned b = threadIdx.x; b < gridDim.x; b += block_threads) sum += partial[b], rows += partial[gridDim.x + b];
  shared[0][thread] = sum, shared[1][thread] = rows;
  add_over_block(shared);
  if (thread == 0) {
    *loss = float(shared[0][0] / (shared[1][0] > 1 ? shared[1][0] : 1.0));
    *count = float(shared[1][0]);
  }
}

}  // namespace sagcl::ops::cuda
