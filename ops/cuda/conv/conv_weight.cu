#include "ops/cuda/conv/conv_weight.h"

#include "engine/devices/buffer.h"
#include "ops/cuda/launch_cuda.cuh"

namespace sagcl::ops::cuda {
namespace {

/// Nine warps. In 3D warp (kd, kh) forms the three taps kw = 0, 1, 2 of its kernel row; in 2D there are three kernel rows
/// and three warps share the voxels of each.
constexpr int weight_threads = 288;

/// A block walks down the rows h of one slice (n, d) and keeps four rows of x of each neighbouring slice in shared memory
/// (three in use, one arriving) and two rows of dy. A voxel's channels are followed by 8 floats of padding, which spreads
/// the fragments of the tensor cores over all banks.
struct WeightPlan {
  std::int64_t D, H, W, C, O, splits, rows_each;
  int depth;   // slices: 3, or 1 in 2D
  int padded;  // W rounded up to 8
  int m_tiles, n_tiles, o_blocks, c_blocks;

  explicit WeightPlan(const ConvGeometry& g) : D(g.in[0]), H(g.in[1]), W(g.in[2]), C(g.C), O(g.O), depth(int(g.kernel[0])) {
    padded = int((W + 7) / 8 * 8);
    m_tiles = O % 32 == 0 ? 2 : 1;
    n_tiles = C % 32 == 0 ? 4 : 2;
    o_blocks = C == 1 ? int(O / 16) : int(O / (16 * m_tiles));
    c_blocks = C == 1 ? 1 : int(C / (8 * n_tiles));
    constexpr std::int64_t blocks = 448, fewest_rows = 8;
    const std::int64_t planes = g.N * D * o_blocks * c_blocks, most = H / fewest_rows;
    splits = blocks / planes;
    splits = splits < 1 || most < 1 ? 1 : splits < most ? splits : most;
    rows_each = (H + splits - 1) / splits;
    splits = (H + rows_each - 1) / rows_each;
  }
  __host__ __device__ int x_stride() const { return 8 * n_tiles + 8; }
  __host__ __device__ int dy_stride() const { return 16 * m_tiles + 8; }
  __host__ __device__ int x_row() const { return (padded + 2) * x_stride(); }
  __host__ __device__ int dy_row() const { return padded * dy_stride(); }
  std::size_t shared_bytes() const { return std::size_t(4 * depth * x_row() + 2 * dy_row()) * sizeof(float); }
  std::int64_t taps() const { return 9 * depth; }
  int slices() const { return 3 / depth; }  // warps that share a kernel row
};

__device__ void copy_16_bytes(float* to, const float* from, bool wanted) {
  const unsigned address = unsigned(__cvta_generic_to_shared(to));
  const int bytes = wanted ? 16 : 0;  // the rest is filled with zeros
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from), "r"(bytes));
}
__device__ void finish_copies() { asm volatile("cp.async.commit_group;"); }
template <int left>
__device__ void await_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(left));
}

/// To nearest TF32: the tensor cores would cut the mantissa off after its 10th bit instead.
__device__ float rounded(float v) {
  unsigned bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(v));
  return __uint_as_float(bits);
}

__device__ void multiply(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// Starts copying `columns` voxels (from voxel `first` of a row of W; outside is zero) of `channels` channels.
__device__ void start_row(float* to, int stride, const float* row, bool exists, int first, int columns, std::int64_t W,
                          std::int64_t all_channels, int channels) {
  const int lanes = channels / 4;
  for (int i = int(threadIdx.x); i < columns * lanes; i += weight_threads) {
    const int column = i / lanes, lane = i % lanes, w = first + column;
    const bool inside = exists && w >= 0 && w < W;
    copy_16_bytes(to + column * stride + lane * 4, inside ? row + w * all_channels + lane * 4 : row, inside);
  }
}

/// Rounds what this thread copied by start_row(): no barrier is needed in between.
__device__ void round_row(float* row, int stride, int columns, int channels) {
  const int lanes = channels / 4;
  for (int i = int(threadIdx.x); i < columns * lanes; i += weight_threads) {
    float4& v = *reinterpret_cast<float4*>(row + i / lanes * stride + i % lanes * 4);
    v = float4{rounded(v.x), rounded(v.y), rounded(v.z), rounded(v.w)};
  }
}

/// partial[(part, slice), o, tap, c], part = (n, d, rows)
template <int m_tiles, int n_tiles, int depth>
__global__ void __launch_bounds__(weight_threads, m_tiles* n_tiles <= 2 ? 2 : 1)
    weight_kernel(const WeightPlan p, const float* x, const float* dy, float* partial) {
  extern __shared__ float4 memory[];
  float* const x_rows = reinterpret_cast<float*>(memory);
  float* const dy_rows = x_rows + 4 * depth * p.x_row();
  constexpr int xs = 8 * n_tiles + 8, ys = 16 * m_tiles + 8;
  const int warp = int(threadIdx.x) / 32, lane = int(threadIdx.x) % 32, kh = warp % 3, kd = depth == 3 ? warp / 3 : 0;
  const int c0 = int(blockIdx.y) % p.c_blocks * 8 * n_tiles, o0 = int(blockIdx.y) / p.c_blocks * 16 * m_tiles;
  const std::int64_t split = blockIdx.x % p.splits, plane = blockIdx.x / p.splits, n = plane / p.D, d = plane % p.D;
  const std::int64_t begin = split * p.rows_each, end = begin + p.rows_each < p.H ? begin + p.rows_each : p.H;

  const auto start_x = [&](std::int64_t h) {
    for (int k = 0; k < depth; ++k) {
      const std::int64_t z = depth == 3 ? d + k - 1 : d;
      const bool exists = z >= 0 && z < p.D && h >= 0 && h < p.H;
      const float* row = x + (exists ? ((n * p.D + z) * p.H + h) * p.W * p.C : 0) + c0;
      start_row(x_rows + (k * 4 + int(h & 3)) * p.x_row(), xs, row, exists, -1, p.padded + 2, p.W, p.C, 8 * n_tiles);
    }
  };
  const auto start_dy = [&](std::int64_t h) {
    const bool exists = h < end;
    const float* row = dy + (exists ? ((n * p.D + d) * p.H + h) * p.W * p.O : 0) + o0;
    start_row(dy_rows + int(h & 1) * p.dy_row(), ys, row, exists, 0, p.padded, p.W, p.O, 16 * m_tiles);
  };

  const auto round_x = [&](std::int64_t h) {
    for (int k = 0; k < depth; ++k) round_row(x_rows + (k * 4 + int(h & 3)) * p.x_row(), xs, p.padded + 2, 8 * n_tiles);
  };

  float sum[3][m_tiles][n_tiles][4] = {};
  for (std::int64_t h = begin - 1; h <= begin + 1; ++h) start_x(h);
  start_dy(begin);
  finish_copies();
  for (std::int64_t h = begin; h < end; ++h) {
    start_x(h + 2);
    start_dy(h + 1);
    finish_copies();
    await_copies<1>();
    if (h == begin) round_x(h - 1), round_x(h);
    round_x(h + 1);
    round_row(dy_rows + int(h & 1) * p.dy_row(), ys, p.padded, 16 * m_tiles);
    __syncthreads();
    const float* xr = x_rows + (kd * 4 + int((h + kh - 1) & 3)) * p.x_row() + (lane % 4) * xs + lane / 4;
    const float* yr = dy_rows + int(h & 1) * p.dy_row() + (lane % 4) * ys + lane / 4;
#pragma unroll 1
    for (int v = depth == 3 ? 0 : warp / 3 * 8; v < p.padded; v += depth == 3 ? 8 : 24) {
      unsigned a[m_tiles][4];
#pragma unroll
      for (int m = 0; m < m_tiles; ++m)
#pragma unroll
        for (int k = 0; k < 4; ++k) a[m][k] = __float_as_uint(yr[(v + k / 2 * 4) * ys + m * 16 + k % 2 * 8]);
#pragma unroll
      for (int kw = 0; kw < 3; ++kw)
#pragma unroll
        for (int t = 0; t < n_tiles; ++t) {
          const unsigned b0 = __float_as_uint(xr[(v + kw) * xs + t * 8]),
                         b1 = __float_as_uint(xr[(v + kw + 4) * xs + t * 8]);
#pragma unroll
          for (int m = 0; m < m_tiles; ++m) multiply(sum[kw][m][t], a[m], b0, b1);
        }
    }
    __syncthreads();
  }
  await_copies<0>();
  const int part = int(blockIdx.x) * (3 / depth) + (depth == 3 ? 0 : warp / 3);
  float* out = partial + std::int64_t(part) * p.O * 9 * depth * p.C;
#pragma unroll
  for (int kw = 0; kw < 3; ++kw)
#pragma unroll
    for (int m = 0; m < m_tiles; ++m)
#pragma unroll
      for (int t = 0; t < n_tiles; ++t)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const std::int64_t o = o0 + m * 16 + half * 8 + lane / 4, c = c0 + t * 8 + lane % 4 * 2,
                             tap = (kd * 3 + kh) * 3 + kw;
          *reinterpret_cast<float2*>(out + (o * 9 * depth + tap) * p.C + c) =
              float2{sum[kw][m][t][half * 2], sum[kw][m][t][half * 2 + 1]};
        }
}

/// One input channel: the taps take the place of the channels. Four warps share the voxels of a row.
constexpr int thin_threads = 128;

template <int depth>
__global__ void __launch_bounds__(thin_threads)
    thin_weight_kernel(const WeightPlan p, const float* x, const float* dy, float* partial) {
  extern __shared__ float4 memory[];
  constexpr int rows = 3 * depth, taps = 9 * depth, n_tiles = (taps + 7) / 8, ys = 24;
  const int width = p.padded + 2, warp = int(threadIdx.x) / 32, lane = int(threadIdx.x) % 32, o0 = int(blockIdx.y) * 16;
  float* const x_rows = reinterpret_cast<float*>(memory);
  float* const dy_row = x_rows + (rows * width + 3) / 4 * 4;
  const std::int64_t split = blockIdx.x % p.splits, plane = blockIdx.x / p.splits, n = plane / p.D, d = plane % p.D;
  const std::int64_t begin = split * p.rows_each, end = begin + p.rows_each < p.H ? begin + p.rows_each : p.H;
  int offset[n_tiles];
#pragma unroll
  for (int t = 0; t < n_tiles; ++t) {
    const int tap = t * 8 + lane / 4 < taps ? t * 8 + lane / 4 : 0;
    offset[t] = tap / 3 * width + tap % 3 + lane % 4;
  }
  float sum[n_tiles][4] = {};
  for (std::int64_t h = begin; h < end; ++h) {
    __syncthreads();
    for (int i = int(threadIdx.x); i < rows * width; i += thin_threads) {
      const int row = i / width, w = i % width - 1;
      const std::int64_t z = depth == 3 ? d + row / 3 - 1 : d, y = h + row % 3 - 1;
      const bool inside = z >= 0 && z < p.D && y >= 0 && y < p.H && w >= 0 && w < p.W;
      x_rows[i] = inside ? rounded(x[((n * p.D + z) * p.H + y) * p.W + w]) : 0.0f;
    }
    const float* from = dy + ((n * p.D + d) * p.H + h) * p.W * p.O + o0;
    for (int i = int(threadIdx.x); i < p.padded * 4; i += thin_threads) {
      const int w = i / 4, four = i % 4 * 4;
      const float4 v = w < p.W ? *reinterpret_cast<const float4*>(from + w * p.O + four) : float4{0, 0, 0, 0};
      *reinterpret_cast<float4*>(dy_row + w * ys + four) = float4{rounded(v.x), rounded(v.y), rounded(v.z), rounded(v.w)};
    }
    __syncthreads();
    const float* yr = dy_row + (lane % 4) * ys + lane / 4;
    for (int v = warp * 8; v < p.padded; v += 8 * thin_threads / 32) {
      unsigned a[4];
#pragma unroll
      for (int k = 0; k < 4; ++k) a[k] = __float_as_uint(yr[(v + k / 2 * 4) * ys + k % 2 * 8]);
#pragma unroll
      for (int t = 0; t < n_tiles; ++t)
        multiply(sum[t], a, __float_as_uint(x_rows[offset[t] + v]), __float_as_uint(x_rows[offset[t] + v + 4]));
    }
  }
  float* out = partial + (std::int64_t(blockIdx.x) * (thin_threads / 32) + warp) * p.O * taps;
#pragma unroll
  for (int t = 0; t < n_tiles; ++t)
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const int o = o0 + k / 2 * 8 + lane / 4, tap = t * 8 + lane % 4 * 2 + k % 2;
      if (tap < taps) out[o * taps + tap] = sum[t][k];
    }
}

struct PartialWeights {
  std::int64_t size;
  const float* partial;
  __device__ std::array<float, 1> operator()(std::int64_t, std::int64_t part, std::int64_t i) const {
    return {{partial[part * size + i]}};
  }
};

template <int m_tiles, int n_tiles, int depth>
void launch_weight(const WeightPlan& plan, std::int64_t blocks, const float* x, const float* dy, float* partial) {
  const auto kernel = weight_kernel<m_tiles, n_tiles, depth>;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(plan.shared_bytes())),
        "weight gradient");
  kernel<<<dim3(unsigned(blocks), unsigned(plan.o_blocks * plan.c_blocks)), weight_threads, plan.shared_bytes(), stream()>>>(
      plan, x, dy, partial);
  check_launch("weight gradient");
}

void thin_weight_gradient(const ConvGeometry& g, const float* x, const float* dy, float* dw) {
  const WeightPlan plan(g);
  const std::int64_t blocks = g.N * plan.D * plan.splits, parts = blocks * (thin_threads / 32), size = g.O * plan.taps();
  const engine::Buffer memory(device(), std::size_t(parts * size) * sizeof(float));
  float* partial = static_cast<float*>(memory.data());
  const std::size_t shared =
      std::size_t((3 * plan.depth * (plan.padded + 2) + 3) / 4 * 4 + plan.padded * 24) * sizeof(float);
  const dim3 grid(unsigned(blocks), unsigned(g.O / 16));
  if (plan.depth == 3) thin_weight_kernel<3><<<grid, thin_threads, shared, stream()>>>(plan, x, dy, partial);
  else thin_weight_kernel<1><<<grid, thin_threads, shared, stream()>>>(plan, x, dy, partial);
  check_launch("weight gradient, one channel");
  CudaLaunch::column_sums<1, float>(1, parts, size, PartialWeights{size, partial}, dw);
}

}  // namespace

bool own_weight_gradient_serves(const ConvGeometry& g) {
  const bool volume = g.kernel == Extents{{3, 3, 3}} && g.padding == Extents{{1, 1, 1}};
  const bool flat = g.kernel == Extents{{1, 3, 3}} && g.padding == Extents{{0, 1, 1}};
  if (!(volume || flat) || g.stride != Extents{{1, 1, 1}} || g.O % 16 != 0 || g.O > 64) return false;
  if (g.C == 1) return g.N * g.in.volume() * g.O < (std::int64_t(1) << 31) && g.in[2] <= 320;  // 48 KiB hold its rows
  if (g.C % 16 != 0 || g.C > 64) return false;
  constexpr std::size_t most = 160 * 1024;  // an A100 offers 163 KiB to a block
  return g.N * g.in.volume() * 64 < (std::int64_t(1) << 31) && WeightPlan(g).shared_bytes() <= most;
}

void own_weight_gradient(const ConvGeometry& g, const float* x, const float* dy, float* dw) {
  if (g.C == 1) return thin_weight_gradient(g, x, dy, dw);
  const WeightPlan plan(g);
  const std::int64_t blocks = g.N * plan.D * plan.splits, parts = blocks * plan.slices(), size = g.O * plan.taps() * g.C;
  const engine::Buffer memory(device(), std::size_t(parts * size) * sizeof(float));
  float* partial = static_cast<float*>(memory.data());
  const auto launch = [&]<int m, int n>() {
    if (plan.depth == 3) launch_weight<m, n, 3>(plan, blocks, x, dy, partial);
    else launch_weight<m, n, 1>(plan, blocks, x, dy, partial);
  };
  if (plan.m_tiles == 1 && plan.n_tiles == 2) launch.template operator()<1, 2>();
  else if (plan.m_tiles == 1) launch.template operator()<1, 4>();
  else if (plan.n_tiles == 2) launch.template operator()<2, 2>();
  else launch.template operator()<2, 4>();
  CudaLaunch::column_sums<1, float>(1, parts, size, PartialWeights{size, partial}, dw);
}

}  // namespace sagcl::ops::cuda
