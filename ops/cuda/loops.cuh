#pragma once
// The kernels behind CudaLaunch. They use blocks, shared memory and barriers only, so the tests can also run them on a CPU
// (tests/cuda/emulator.h stands in for the CUDA headers there).
#include <array>
#include <cstdint>

namespace sagcl::ops::cuda {

constexpr int block_threads = 256;

/// Division of numbers below 2^31 by a fixed one, as a multiplication (Granlund & Montgomery 1994).
struct Divisor {
  std::uint32_t value = 1, magic = 0, shift = 0;
  Divisor() = default;
  explicit Divisor(std::uint32_t d) : value(d) {
    while (shift < 32 && (std::uint64_t(1) << shift) < d) ++shift;
    magic = std::uint32_t((((std::uint64_t(1) << shift) - d) << 32) / d + 1);
  }
  __host__ __device__ std::uint32_t divide(std::uint32_t n) const {
    const std::uint32_t high = std::uint32_t((std::uint64_t(n) * magic) >> 32);
    return (high + n) >> shift;
  }
};

/// True for all threads of the block that comes here last, which then sees what every block wrote before. `finished` counts
/// the blocks of the launch that runs and is 0 again behind it; work of one stream never overlaps.
__device__ inline bool is_last_block(unsigned& finished) {
  __shared__ bool last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) last = atomicInc(&finished, gridDim.x - 1) == gridDim.x - 1;
  __syncthreads();
  __threadfence();
  return last;
}

/// A thread takes one element; the loop, which is not worth registers for unrolling, is for more than 2^31 of them.
template <class F>
__global__ void __launch_bounds__(block_threads) each_kernel(std::int64_t n, F f) {
  const std::int64_t step = std::int64_t(gridDim.x) * block_threads;
#pragma unroll 1
  for (std::int64_t i = std::int64_t(blockIdx.x) * block_threads + threadIdx.x; i < n; i += step) f(i);
}

/// Elements in memory order, so that neighbouring threads touch neighbouring addresses; total < 2^31. f is called with
/// 32-bit numbers: what it divides in their type needs no 64-bit division, which is slow and takes many registers.
template <class F>
__global__ void __launch_bounds__(block_threads) rows_kernel(std::uint32_t total, Divisor columns, F f) {
  const std::uint32_t i = blockIdx.x * block_threads + threadIdx.x;
  if (i >= total) return;
  const std::uint32_t r = columns.divide(i);
  f(r, i - r * columns.value);
}

/// For 2^31 elements and more; room for 64-bit division, by 128 registers for a thread.
template <class F>
__global__ void __launch_bounds__(block_threads, 2) long_rows_kernel(std::int64_t total, std::int64_t columns, F f) {
  const std::int64_t step = std::int64_t(gridDim.x) * block_threads;
#pragma unroll 1
  for (std::int64_t i = std::int64_t(blockIdx.x) * block_threads + threadIdx.x; i < total; i += step)
    f(i / columns, i % columns);
}

/// The threads of a block; what they offer is said at OneThread in ops/kernels/launch_cpu.h.
struct Block {
  __host__ __device__ static constexpr int threads() { return block_threads; }
  __device__ int thread() const { return int(threadIdx.x); }
  __device__ void sync() const { __syncthreads(); }
  __device__ void add(int* own, int term) const { atomicAdd(own, term); }
  __device__ void add_to_all(int* sum, int term) const { atomicAdd(sum, term); }
};

template <class F>
__global__ void __launch_bounds__(block_threads) groups_kernel(F f) {
  __shared__ typename F::Shared shared;
  f(std::int64_t(blockIdx.x), shared, Block());
}

/// How a sum over [outer, reduced, inner] is spread: a block adds `rows` rows of `width` columns, `height` rows at a time.
/// It depends on the sizes alone, never on the GPU, so the order of additions is always the same.
struct SumPlan {
  std::int64_t outer, reduced, inner, chunks, rows, tiles;
  int width, height;

  SumPlan(std::int64_t o, std::int64_t r, std::int64_t i) : outer(o), reduced(r), inner(i) {
    constexpr std::int64_t blocks = 1056, shortest = 8;  // blocks: a few for each multiprocessor of a large GPU
    tiles = (inner + block_threads - 1) / block_threads;
    width = int((inner + tiles - 1) / tiles);
    height = block_threads / width;
    const std::int64_t most = (reduced + height * shortest - 1) / (height * shortest), wanted = blocks / (outer * tiles);
    chunks = wanted < 1 ? 1 : wanted < most ? wanted : most;
    if (chunks < 1) chunks = 1;
    rows = (reduced + chunks - 1) / chunks;
  }
  std::int64_t grid() const { return outer * tiles * chunks; }
  /// Few rows or very many sums: then one thread per sum is better than one block.
  bool by_thread() const { return reduced <= 16 || (outer * inner >= 65536 && reduced <= 512); }
};

/// out[k, o, chunk, i] = Σ f(o, r, i)[k] over the chunk's rows. Each thread adds 32 terms in T, these sums in double; the
/// block's threads are joined pairwise. f is called with a 32-bit o. In double the compiler may take 128 registers.
template <int K, class T, class Out, class F>
__global__ void __launch_bounds__(block_threads, sizeof(T) == 8 ? 2 : 0) sums_kernel(SumPlan p, F f, Out* out) {
  __shared__ double shared[K][block_threads];
  const unsigned chunks = unsigned(p.chunks), tiles = unsigned(p.tiles), rest = blockIdx.x / chunks, o = rest / tiles;
  const std::int64_t chunk = blockIdx.x % chunks, tile = rest % tiles;
  const int thread = int(threadIdx.x), x = thread % p.width, y = thread / p.width;
  const std::int64_t i = tile * p.width + x;
  const std::int64_t begin = chunk * p.rows, end = begin + p.rows < p.reduced ? begin + p.rows : p.reduced;
  double total[K] = {};
  if (y < p.height && i < p.inner)
    for (std::int64_t r = begin + y; r < end;) {
      T part[K] = {};
      for (int n = 0; n < 32 && r < end; ++n, r += p.height) {
        const std::array<T, K> term = f(o, r, i);
        for (int k = 0; k < K; ++k) part[k] += term[std::size_t(k)];
      }
      for (int k = 0; k < K; ++k) total[k] += double(part[k]);
    }
  for (int k = 0; k < K; ++k) shared[k][thread] = total[k];
  __syncthreads();
  for (int step = 128; step > 0; step /= 2) {
    if (y < step && y + step < p.height)
      for (int k = 0; k < K; ++k) shared[k][thread] += shared[k][thread + step * p.width];
    __syncthreads();
  }
  if (y == 0 && i < p.inner)
    for (int k = 0; k < K; ++k) out[((k * p.outer + o) * p.chunks + chunk) * p.inner + i] = Out(shared[k][thread]);
}

template <int K, class T, class Out, class F>
struct SumByThread {
  std::int64_t outer, reduced, inner;
  F f;
  Out* out;
  template <class I>
  __host__ __device__ void operator()(I o, I i) const {
    double total[K] = {};
    for (std::int64_t r = 0; r < reduced;) {
      T part[K] = {};
      for (int n = 0; n < 32 && r < reduced; ++n, ++r) {
        const std::array<T, K> term = f(o, r, i);
        for (int k = 0; k < K; ++k) part[k] += term[std::size_t(k)];
      }
      for (int k = 0; k < K; ++k) total[k] += double(part[k]);
    }
    for (int k = 0; k < K; ++k) out[(k * outer + o) * inner + i] = Out(total[k]);
  }
};

/// The second stage reads what the first wrote.
template <int K>
struct PartialSum {
  std::int64_t outer, chunks, inner;
  const double* partial;
  __host__ __device__ std::array<double, K> operator()(std::int64_t o, std::int64_t chunk, std::int64_t i) const {
    std::array<double, K> values;
    for (int k = 0; k < K; ++k) values[std::size_t(k)] = partial[((k * outer + o) * chunks + chunk) * inner + i];
    return values;
  }
};

}  // namespace sagcl::ops::cuda
