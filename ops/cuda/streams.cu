#include "ops/cuda/streams.h"

#include "ops/cuda/launch_cuda.cuh"
#include "ops/kernels/layout.inl"

namespace sagcl::ops::cuda {
namespace {

const float4* fours(const Tensor& t) { return reinterpret_cast<const float4*>(t.data<float>()); }
float4* fours(Tensor& t) { return reinterpret_cast<float4*>(t.data<float>()); }

/// One call of Philox gives the four words of four elements.
struct ElementDropout {
  engine::RandomKey key;
  float p, factor;
  const float4* x;
  float4* y;
  __device__ void operator()(std::int64_t i) const {
    const engine::RandomKey k = key.now();
    const engine::Words w = engine::philox(
        engine::Words{{std::uint32_t(i), std::uint32_t(std::uint64_t(i) >> 32), k.stream0, k.stream1}}, k.key0, k.key1);
    const float4 v = x[i];
    y[i] = float4{engine::unit(w.w[0]) >= p ? v.x * factor : 0, engine::unit(w.w[1]) >= p ? v.y * factor : 0,
                  engine::unit(w.w[2]) >= p ? v.z * factor : 0, engine::unit(w.w[3]) >= p ? v.w * factor : 0};
  }
};

/// keep[n, c]: drawn once for each channel of each image instead of for each voxel.
struct DrawChannels {
  engine::RandomKey key;
  float p;
  std::uint8_t* keep;
  __device__ void operator()(std::int64_t i) const { keep[i] = engine::unit(key.now().word(std::uint64_t(i))) >= p; }
};

/// Row r of one image, four channels.
struct ChannelDropout {
  float factor;
  std::int64_t lanes;
  const uchar4* keep;
  const float4* x;
  float4* y;
  __device__ void operator()(std::int64_t r, std::int64_t lane) const {
    const uchar4 k = keep[lane];
    const float4 v = x[r * lanes + lane];
    y[r * lanes + lane] = float4{k.x ? v.x * factor : 0, k.y ? v.y * factor : 0, k.z ? v.z * factor : 0,
                                 k.w ? v.w * factor : 0};
  }
};

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

struct AddBias {
  std::int64_t lanes;
  const float4* b;
  float4* y;
  __device__ void operator()(std::int64_t r, std::int64_t lane) const {
    float4& v = y[r * lanes + lane];
    const float4 k = b[lane];
    v = float4{v.x + k.x, v.y + k.y, v.z + k.z, v.w + k.w};
  }
};

struct AddBiasSingly {
  std::int64_t columns;
  const float* b;
  float* y;
  __device__ void operator()(std::int64_t r, std::int64_t c) const { y[r * columns + c] += b[c]; }
};

}  // namespace

bool dropout(const DropoutSpec& spec, const Tensor& x, Tensor& y) {
  if (x.dtype() != engine::Dtype::f32 || x.size() % 4 != 0) return false;
  const float factor = float(1 / (1 - spec.p));
  if (!spec.per_channel) {
    CudaLaunch::for_each(x.size() / 4, ElementDropout{spec.key, float(spec.p), factor, fours(x), fours(y)});
    return true;
  }
  const std::int64_t images = x.shape()[0], C = x.shape().back(), each = images ? x.size() / images : 0;
  if (C % 4 != 0) return false;
  const engine::Buffer keep(device(), std::size_t(images * C));
  auto* flags = static_cast<std::uint8_t*>(keep.data());
  CudaLaunch::for_each(images * C, DrawChannels{spec.key, float(spec.p), flags});
  for (std::int64_t n = 0; n < images; ++n)
    CudaLaunch::for_rows(each / C, C / 4,
                         ChannelDropout{factor, C / 4, reinterpret_cast<const uchar4*>(flags + n * C),
                                        fours(x) + n * each / 4, fours(y) + n * each / 4});
  return true;
}

bool sum(const Tensor& x, const Axes& v, double scale, Tensor& y) {
  if (x.dtype() != engine::Dtype::f32 || v.outer != 1 || v.inner % 4 != 0 || v.inner > 4 * block_threads || v.reduced < 64)
    return false;
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
  return true;
}

bool copy_block(const BlockCopy& block, const Tensor& x, Tensor& y) {
  const std::int64_t wide = 16 / std::int64_t(engine::bytes_of(x.dtype()));
  BlockCopy b = block;
  for (std::int64_t* n : {&b.x_shape[4], &b.y_shape[4], &b.x_begin[4], &b.y_begin[4], &b.extent[4]}) {
    if (*n % wide != 0) return false;
    *n /= wide;
  }
  const std::int64_t rows = b.extent[0] * b.extent[1] * b.extent[2] * b.extent[3];
  CudaLaunch::for_rows(
      rows, b.extent[4],
      kernels::CopyBlock<uint4>{b, static_cast<const uint4*>(x.bytes_begin()), static_cast<uint4*>(y.bytes_begin())});
  return true;
}

void add_bias(const Tensor& b, Tensor& y) {
  const std::int64_t C = b.size();
  if (C % 4 == 0) CudaLaunch::for_rows(y.size() / C, C / 4, AddBias{C / 4, fours(b), fours(y)});
  else CudaLaunch::for_rows(y.size() / C, C, AddBiasSingly{C, b.data<float>(), y.data<float>()});
}

}  // namespace sagcl::ops::cuda
