#pragma once
// Kernels of normalisation that run at the speed of the memory: four channels per access, one pass for the statistics, the
// activation and its mask inside. x is [outer, rows, C] as in ops/kernels/norm.inl; C is divisible by 4. V is what four
// channels are in memory: float4, or Bf16x4.
#include <cstdint>

#include "ops/cuda/bf16x4.cuh"
#include "ops/cuda/loops.cuh"

namespace sagcl::ops::cuda {

constexpr int norm_threads = 256;

/// How [rows, C] is spread: a block takes `rows_each` rows; its threads form `height` rows of `lanes` times 4 channels.
struct NormPlan {
  std::int64_t outer, rows, C, chunks, rows_each;
  int lanes, height;

  NormPlan(std::int64_t o, std::int64_t r, std::int64_t c)
      : outer(o), rows(r), C(c), lanes(int(c / 4)), height(norm_threads / lanes) {
    constexpr std::int64_t blocks = 1056, shortest = 8;
    const std::int64_t most = (rows + height * shortest - 1) / (height * shortest), wanted = blocks / outer;
    chunks = wanted < 1 ? 1 : wanted < most ? wanted : most;
    rows_each = (rows + chunks - 1) / chunks;
    chunks = (rows + rows_each - 1) / rows_each;
  }
};

/// Number, mean and sum of squared deviations; two sets joined by Chan's formula.
struct Moments {
  float n = 0, mean = 0, m2 = 0;
  __host__ __device__ void join(const Moments& b) {
    if (b.n == 0) return;
    const float total = n + b.n, delta = b.mean - mean, share = b.n / total;
    mean += delta * share;
    m2 += b.m2 + delta * delta * n * share;
    n = total;
  }
};

/// partial[o, chunk, C]: the moments of each channel over the chunk. A thread takes 8 rows at a time: their mean and squared
/// deviations are formed in registers by two passes, then joined to what it has.
template <class V>
__global__ void __launch_bounds__(norm_threads) moments_kernel(NormPlan p, const V* x, Moments* partial) {
  __shared__ Moments shared[norm_threads * 4];
  const int t = int(threadIdx.x), lane = t % p.lanes, y = t / p.lanes;
  const std::int64_t o = blockIdx.x / p.chunks, chunk = blockIdx.x % p.chunks;
  const std::int64_t begin = chunk * p.rows_each, end = begin + p.rows_each < p.rows ? begin + p.rows_each : p.rows;
  const V* column = x + o * p.rows * p.lanes + lane;
  Moments sum[4];
  if (y < p.height)
    for (std::int64_t r = begin + y; r < end; r += 8 * p.height) {
      float v[8][4];
      int n = 0;
#pragma unroll
      for (int k = 0; k < 8; ++k) {
        const std::int64_t row = r + k * p.height;
        const bool inside = row < end;
        const float4 q = inside ? float4(column[row * p.lanes]) : float4{0, 0, 0, 0};
        v[k][0] = q.x, v[k][1] = q.y, v[k][2] = q.z, v[k][3] = q.w;
        n += inside;
      }
      const float share = 1.0f / float(n);
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        float mean = 0, m2 = 0;
#pragma unroll
        for (int k = 0; k < 8; ++k) mean += v[k][c];  // rows beyond the end are zeros
        mean *= share;
#pragma unroll
        for (int k = 0; k < 8; ++k) m2 += k < n ? (v[k][c] - mean) * (v[k][c] - mean) : 0.0f;
        sum[c].join({float(n), mean, m2});
      }
    }
  for (int c = 0; c < 4; ++c) shared[t * 4 + c] = sum[c];
  __syncthreads();
  for (int step = norm_threads / 2; step > 0; step /= 2) {
    if (y < step && y + step < p.height)
      for (int c = 0; c < 4; ++c) shared[t * 4 + c].join(shared[(t + step * p.lanes) * 4 + c]);
    __syncthreads();
  }
  if (y == 0)
    for (int c = 0; c < 4; ++c) partial[blockIdx.x * p.C + lane * 4 + c] = shared[t * 4 + c];
}

/// One block per set: joins the moments of its channels and chunks, in double.
__global__ void __launch_bounds__(norm_threads)
    join_moments_kernel(std::int64_t chunks, std::int64_t C, std::int64_t channels, const Moments* partial, float* mean,
                        float* variance) {
  __shared__ double n[norm_threads], mu[norm_threads], m2[norm_threads];
  const int t = int(threadIdx.x);
  const std::int64_t groups = C / channels, o = blockIdx.x / groups, first = blockIdx.x % groups * channels;
  double count = 0, average = 0, squares = 0;
  const auto join = [&](double n1, double mean1, double m21) {
    if (n1 == 0) return;
    const double total = count + n1, delta = mean1 - average;
    average += delta * n1 / total;
    squares += m21 + delta * delta * count * n1 / total;
    count = total;
  };
  for (std::int64_t i = t; i < chunks * channels; i += norm_threads) {
    const Moments& m = partial[(o * chunks + i / channels) * C + first + i % channels];
    join(m.n, m.mean, m.m2);
  }
  n[t] = count, mu[t] = average, m2[t] = squares;
  __syncthreads();
  for (int step = norm_threads / 2; step > 0; step /= 2) {
    if (t < step) {
      join(n[t + step], mu[t + step], m2[t + step]);
      n[t] = count, mu[t] = average, m2[t] = squares;
    }
    __syncthreads();
  }
  if (t == 0) mean[blockIdx.x] = float(average), variance[blockIdx.x] = float(squares / count);
}

/// Statistics and parameters as they are given: mean, variance of each set, [outer, C / channels]; γ, β [C].
struct NormChannels {
  int C, channels;
  double eps;
  const float *mean, *variance, *gamma, *beta;
};

/// 1 / sqrt(variance + eps) of every channel, for the threads of a block: doubles are slow on many GPUs.
struct Inverses {
  float of[norm_threads * 4];
  __device__ void fill(const NormChannels& n, std::int64_t o) {
    for (int c = int(threadIdx.x); c < n.C; c += norm_threads)
      of[c] = float(1 / sqrt(double(n.variance[o * (n.C / n.channels) + c / n.channels]) + n.eps));
    __syncthreads();
  }
};

/// Four channels from c on.
struct Channels4 {
  float mean[4], inverse[4], gamma[4], beta[4];
  __device__ Channels4(const NormChannels& n, const Inverses& inverses, std::int64_t o, int c) {
    for (int k = 0; k < 4; ++k) {
      mean[k] = n.mean[o * (n.C / n.channels) + (c + k) / n.channels], inverse[k] = inverses.of[c + k];
      gamma[k] = n.gamma[c + k], beta[k] = n.beta[c + k];
    }
  }
  __device__ float normal(float x, int c) const { return (x - mean[c]) * inverse[c]; }
  __device__ float activated(float x, int c, float slope) const {
    const float v = normal(x, c) * gamma[c] + beta[c];
    return v > 0 ? v : slope * v;
  }
  /// The gradient that arrives at γ x̂ + β.
  __device__ float behind(float normal_x, float dy, int c, float slope) const {
    return normal_x * gamma[c] + beta[c] > 0 ? dy : slope * dy;
  }
};

/// y = act(γ x̂ + β)
template <class V>
__global__ void __launch_bounds__(norm_threads, 4)
    norm_apply_kernel(NormPlan p, NormChannels channels, float slope, const V* x, V* y) {
  const int t = int(threadIdx.x), lane = t % p.lanes, row = t / p.lanes;
  const std::int64_t o = blockIdx.x / p.chunks, chunk = blockIdx.x % p.chunks;
  __shared__ Inverses inverses;
  inverses.fill(channels, o);
  if (row >= p.height) return;
  const Channels4 k(channels, inverses, o, lane * 4);
  const std::int64_t begin = chunk * p.rows_each, end = begin + p.rows_each < p.rows ? begin + p.rows_each : p.rows;
  const std::int64_t base = o * p.rows * p.lanes + lane;
#pragma unroll 4
  for (std::int64_t r = begin + row; r < end; r += p.height) {
    const std::int64_t i = base + r * p.lanes;
    const float4 v = x[i];
    y[i] = float4{k.activated(v.x, 0, slope), k.activated(v.y, 1, slope), k.activated(v.z, 2, slope),
                  k.activated(v.w, 3, slope)};
  }
}

/// partial[{Σ g, Σ g x̂}, o, chunk, C]
template <class V>
__global__ void __launch_bounds__(norm_threads)
    norm_sums_kernel(NormPlan p, NormChannels channels, float slope, const V* x, const V* dy, double* partial) {
  __shared__ float shared[2][norm_threads * 4];
  const int t = int(threadIdx.x), lane = t % p.lanes, y = t / p.lanes;
  const std::int64_t o = blockIdx.x / p.chunks, chunk = blockIdx.x % p.chunks;
  float sum[4] = {}, sum_x[4] = {};
  __shared__ Inverses inverses;
  inverses.fill(channels, o);
  if (y < p.height) {
    const Channels4 k(channels, inverses, o, lane * 4);
    const std::int64_t begin = chunk * p.rows_each, end = begin + p.rows_each < p.rows ? begin + p.rows_each : p.rows;
    const std::int64_t base = o * p.rows * p.lanes + lane;
#pragma unroll 4
    for (std::int64_t r = begin + y; r < end; r += p.height) {
      const float4 a = x[base + r * p.lanes], b = dy[base + r * p.lanes];
      const float v[4] = {a.x, a.y, a.z, a.w}, d[4] = {b.x, b.y, b.z, b.w};
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        const float normal = k.normal(v[c], c), g = k.behind(normal, d[c], c, slope);
        sum[c] += g;
        sum_x[c] += g * normal;
      }
    }
  }
  for (int c = 0; c < 4; ++c) shared[0][t * 4 + c] = sum[c], shared[1][t * 4 + c] = sum_x[c];
  __syncthreads();
  for (int step = norm_threads / 2; step > 0; step /= 2) {
    if (y < step && y + step < p.height)
      for (int c = 0; c < 4; ++c)
        for (int s = 0; s < 2; ++s) shared[s][t * 4 + c] += shared[s][(t + step * p.lanes) * 4 + c];
    __syncthreads();
  }
  if (y == 0)
    for (int c = 0; c < 4; ++c)
      for (int s = 0; s < 2; ++s)
        partial[(s * p.outer * p.chunks + blockIdx.x) * p.C + lane * 4 + c] = double(shared[s][t * 4 + c]);
}

constexpr int join_threads = 128;
__device__ unsigned norm_sums_finished = 0;

/// What the sums over x̂ lead to: dγ, dβ [C], and pull [{mean(γ g), mean(γ g x̂)} over the set, outer, C], which dx needs;
/// 0 where the statistics are `fixed`. One block per cell of [outer, C] joins its chunks into `sums`, and the block that
/// comes last does the rest.
__global__ void __launch_bounds__(join_threads)
    join_norm_sums_kernel(NormPlan p, NormChannels channels, bool fixed, const double* partial, double* sums, float* pull,
                          float* dgamma, float* dbeta) {
  __shared__ double shared[2][join_threads];
  const int t = int(threadIdx.x);
  const std::int64_t cells = p.outer * p.C, own = blockIdx.x / p.C, channel = blockIdx.x % p.C;
  for (int s = 0; s < 2; ++s) {
    double total = 0;
    for (std::int64_t chunk = t; chunk < p.chunks; chunk += join_threads)
      total += partial[((s * p.outer + own) * p.chunks + chunk) * p.C + channel];
    shared[s][t] = total;
  }
  __syncthreads();
  for (int step = join_threads / 2; step > 0; step /= 2) {
    if (t < step) shared[0][t] += shared[0][t + step], shared[1][t] += shared[1][t + step];
    __syncthreads();
  }
  if (t == 0) sums[blockIdx.x] = shared[0][0], sums[cells + blockIdx.x] = shared[1][0];
  if (!is_last_block(norm_sums_finished)) return;
  const double count = double(p.rows) * channels.channels;
  for (std::int64_t cell = t; cell < cells; cell += join_threads) {
    const std::int64_t o = cell / p.C, first = cell % p.C / channels.channels * channels.channels;
    double g = 0, gx = 0;
    for (std::int64_t c = first; !fixed && c < first + channels.channels; ++c) {
      g += double(channels.gamma[c]) * sums[o * p.C + c];
      gx += double(channels.gamma[c]) * sums[cells + o * p.C + c];
    }
    pull[cell] = float(g / count), pull[cells + cell] = float(gx / count);
  }
  for (std::int64_t c = t; c < p.C; c += join_threads) {
    double beta = 0, gamma = 0;
    for (std::int64_t o = 0; o < p.outer; ++o) beta += sums[o * p.C + c], gamma += sums[cells + o * p.C + c];
    dbeta[c] = float(beta), dgamma[c] = float(gamma);
  }
}

/// dx = (γ g - mean(γ g) - x̂ mean(γ g x̂)) / sqrt(variance + eps)
template <class V>
__global__ void __launch_bounds__(norm_threads)
    norm_input_kernel(NormPlan p, NormChannels channels, float slope, const float* pulls, const V* x, const V* dy, V* dx) {
  const int t = int(threadIdx.x), lane = t % p.lanes, row = t / p.lanes;
  const std::int64_t o = blockIdx.x / p.chunks, chunk = blockIdx.x % p.chunks;
  __shared__ Inverses inverses;
  inverses.fill(channels, o);
  if (row >= p.height) return;
  const Channels4 k(channels, inverses, o, lane * 4);
  float pull[4], pull_x[4];
  for (int c = 0; c < 4; ++c) {
    const std::int64_t cell = o * p.C + lane * 4 + c;
    pull[c] = pulls[cell], pull_x[c] = pulls[p.outer * p.C + cell];
  }
  const std::int64_t begin = chunk * p.rows_each, end = begin + p.rows_each < p.rows ? begin + p.rows_each : p.rows;
  const std::int64_t base = o * p.rows * p.lanes + lane;
#pragma unroll 4
  for (std::int64_t r = begin + row; r < end; r += p.height) {
    const float4 a = x[base + r * p.lanes], b = dy[base + r * p.lanes];
    const float v[4] = {a.x, a.y, a.z, a.w}, d[4] = {b.x, b.y, b.z, b.w};
    float out[4];
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      const float normal = k.normal(v[c], c);
      out[c] = k.inverse[c] * (k.gamma[c] * k.behind(normal, d[c], c, slope) - pull[c] - normal * pull_x[c]);
    }
    dx[base + r * p.lanes] = float4{out[0], out[1], out[2], out[3]};
  }
}

}  // namespace sagcl::ops::cuda
