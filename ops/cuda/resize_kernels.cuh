#pragma once
// Resizing four channels at a time. What a block needs of the weights it computes once, by the functions of
// ops/kernels/resize.inl, into registers and shared memory; the passes over the image divide nothing.
#include "ops/cuda/bf16x4.cuh"
#include "ops/cuda/loops.cuh"
#include "ops/kernels/resize.inl"

namespace sagcl::ops::cuda {

constexpr int resize_threads = 128;
constexpr int resize_band = 8;     // rows of the result that a block walks over
constexpr int most_across = 2048;  // shares of a block's voxels of dx in the voxels of dy, along a row
constexpr int most_through = 64;   // and through the slices
constexpr int rows_at_once = 32;   // taps of rows of dy that are ready at a time

/// How the result is spread: a block takes `width` neighbouring columns (a voxel's four channels) of a band of rows. The
/// rows form stacks; a band stays in one. Both images have less than 2^31 float4.
struct ResizePlan {
  kernels::ResizeAxis axes[3];
  int lanes, columns, width, chunks, rows, bands;  // lanes: C / 4; columns: lanes times the voxels of a row
  std::int64_t blocks;
  Divisor by_lanes;

  ResizePlan(const ResizeGeometry& g, std::int64_t stacks, std::int64_t rows_of_stack, std::int64_t voxels, int widest)
      : axes{{g, 0}, {g, 1}, {g, 2}},
        lanes(int(g.C / 4)),
        columns(int(voxels) * lanes),
        width(columns < widest ? columns : widest),
        chunks((columns + width - 1) / width),
        rows(int(rows_of_stack)),
        bands((rows + resize_band - 1) / resize_band),
        blocks(stacks * bands * chunks),
        by_lanes(std::uint32_t(lanes)) {}

  /// For y: its rows are one stack.
  static ResizePlan forward(const ResizeGeometry& g) {
    return ResizePlan(g, 1, g.N * g.out[0] * g.out[1], g.out[2], resize_threads);
  }
  /// For dx: a slice is a stack. Only if backward_width() is not 0.
  static ResizePlan backward(const ResizeGeometry& g) {
    return ResizePlan(g, g.N * g.in[0], g.in[1], g.in[2], backward_width(g));
  }
  /// The most outputs that kernels::possible_readers() names along an axis.
  __host__ __device__ static int most_readers(const kernels::ResizeAxis& a) {
    const std::int64_t most = std::int64_t(3 * a.magnification) + 7;
    return int(most < a.out ? most : a.out);
  }
  /// 0 where the shares do not fit into shared memory.
  static int backward_width(const ResizeGeometry& g) {
    const std::int64_t most = most_readers({g, 2}), lanes = g.C / 4;
    int width = most_readers({g, 0}) > most_through ? 0 : resize_threads;
    while (width > 0 && ((width - 1) / lanes + 2) * most > most_across) width /= 2;
    return width;
  }
};

__device__ inline void add(float4& sum, float weight, const float4& v) {
  sum.x += weight * v.x, sum.y += weight * v.y, sum.z += weight * v.z, sum.w += weight * v.w;
}

/// kernels::Tap in single precision. Where only one voxel is read it is both, with the weights 1 and 0: a NaN in a voxel
/// that is not read stays there.
struct FloatTap {
  int low, high;
  float at_low, at_high;
};
__device__ inline FloatTap float_tap(const kernels::ResizeAxis& a, std::int64_t o) {
  const kernels::Tap t = kernels::tap_of(a, o);
  if (t.weight == 0 || t.low == t.high) return {int(t.low), int(t.low), 1, 0};
  return {int(t.low), int(t.high), float(1 - t.weight), float(t.weight)};
}

/// The rows of x that a row of y reads, by their first float4: two, or four where slices are resized as well.
template <int reads>
struct RowReads {
  std::uint32_t at[reads];
  float weight[reads];
};
template <int reads>
__device__ RowReads<reads> row_reads(const ResizePlan& p, std::uint32_t row) {
  const kernels::ResizeAxis &d = p.axes[0], &h = p.axes[1], &w = p.axes[2];
  const std::uint32_t slice = row / std::uint32_t(h.out), n = slice / std::uint32_t(d.out);
  const FloatTap y = float_tap(h, row - slice * h.out), z = float_tap(d, slice - n * d.out);
  RowReads<reads> r;
#pragma unroll
  for (int k = 0; k < reads; ++k) {
    const int from_slice = k / 2 ? z.high : z.low, from_row = k % 2 ? y.high : y.low;
    r.at[k] = std::uint32_t(((n * d.in + from_slice) * h.in + from_row) * w.in * p.lanes);
    r.weight[k] = (k / 2 ? z.at_high : reads == 2 ? 1.0f : z.at_low) * (k % 2 ? y.at_high : y.at_low);
  }
  return r;
}

/// y from x. A thread keeps its column and with it the voxels it reads of a row.
template <int reads, class V>
__global__ void __launch_bounds__(resize_threads)
    resize_kernel(const __grid_constant__ ResizePlan p, const V* __restrict__ x, V* __restrict__ y) {
  __shared__ RowReads<reads> rows[resize_band];
  const int t = int(threadIdx.x), band = int(blockIdx.x) / p.chunks,
            column = (int(blockIdx.x) - band * p.chunks) * p.width + t;
  const int first = band * resize_band, count = p.rows - first < resize_band ? p.rows - first : resize_band;
  if (t < count) rows[t] = row_reads<reads>(p, std::uint32_t(first + t));
  __syncthreads();
  if (t >= p.width || column >= p.columns) return;
  const int voxel = int(p.by_lanes.divide(std::uint32_t(column))), lane = column - voxel * p.lanes;
  const FloatTap tap = float_tap(p.axes[2], voxel);
  const V *low = x + tap.low * p.lanes + lane, *high = x + tap.high * p.lanes + lane;
  V* out = y + std::int64_t(first) * p.columns + column;
#pragma unroll 2
  for (int k = 0; k < count; ++k) {
    const RowReads<reads> row = rows[k];
    float4 sum = {0, 0, 0, 0};
#pragma unroll
    for (int i = 0; i < reads; ++i) {
      add(sum, row.weight[i] * tap.at_low, low[row.at[i]]);
      add(sum, row.weight[i] * tap.at_high, high[row.at[i]]);
    }
    out[k * p.columns] = sum;
  }
}

/// shares[v, k]: what the k-th possible reader of voxel first + v reads of it.
__device__ inline void fill_shares(const kernels::ResizeAxis& a, int first, int voxels, int most, float* shares) {
#pragma unroll 1
  for (int e = int(threadIdx.x); e < voxels * most; e += resize_threads) {
    const int v = e / most, q = first + v;
    std::int64_t begin, end;
    kernels::possible_readers(a, q, begin, end);
    const std::int64_t o = begin + (e - v * most);
    shares[e] = o <= end ? float(kernels::share_of(a, o, q)) : 0.0f;
  }
}

/// The readers of voxel q, without those on both sides that read nothing of it.
struct Readers {
  int first, count;
  const float* share;
};
__device__ inline Readers readers_of(const kernels::ResizeAxis& a, int q, int most, const float* shares) {
  std::int64_t first, last;
  kernels::possible_readers(a, q, first, last);
  int begin = 0, end = most;
  while (begin < end && shares[begin] == 0) ++begin;
  while (begin < end && shares[end - 1] == 0) --end;
  return {int(first) + begin, end - begin, shares + begin};
}

/// dx from dy. A thread keeps its column of dx and walks over the rows of dy: what a row brings along slices and columns
/// goes to the two rows of dx that it reads, which are written once the walk has passed them.
template <class V>
__global__ void __launch_bounds__(resize_threads, 8)
    resize_backward_kernel(const __grid_constant__ ResizePlan p, const V* __restrict__ dy, V* __restrict__ dx) {
  __shared__ float across[most_across], through[most_through];
  __shared__ FloatTap taps[rows_at_once];
  const kernels::ResizeAxis &d = p.axes[0], &h = p.axes[1], &w = p.axes[2];
  const int t = int(threadIdx.x), rest = int(blockIdx.x) / p.chunks, slice = rest / p.bands;
  const int begin = (rest - slice * p.bands) * resize_band,
            end = begin + resize_band < p.rows ? begin + resize_band : p.rows;
  const int left = (int(blockIdx.x) - rest * p.chunks) * p.width, column = left + t,
            right = left + p.width < p.columns ? left + p.width : p.columns;
  const int n = slice / int(d.in), z = slice - n * int(d.in), voxel = int(p.by_lanes.divide(std::uint32_t(column))),
            leftmost = int(p.by_lanes.divide(std::uint32_t(left))),
            voxels = int(p.by_lanes.divide(std::uint32_t(right - 1))) - leftmost + 1;
  const int most = ResizePlan::most_readers(w), most_slices = ResizePlan::most_readers(d);
  fill_shares(w, leftmost, voxels, most, across);
  fill_shares(d, z, 1, most_slices, through);
  __syncthreads();

  const bool active = column < right;
  const Readers of_voxel = active ? readers_of(w, voxel, most, across + (voxel - leftmost) * most) : Readers{0, 0, across},
                of_slice = readers_of(d, z, most_slices, through);
  const int row = int(w.out) * p.lanes, lane = column - voxel * p.lanes;
  const V* from = dy + (n * d.out + of_slice.first) * h.out * row + of_voxel.first * p.lanes + lane;
  V* to = dx + (std::int64_t(slice) * p.rows) * p.columns + column;
  float4 here = {0, 0, 0, 0}, next = {0, 0, 0, 0};  // of rows q and q + 1
  int q = begin - 1;
  const auto step = [&] {
    if (q >= begin && active) to[q * p.columns] = here;
    here = next;
    next = {0, 0, 0, 0};
    ++q;
  };
  std::int64_t first, last, unused;
  kernels::possible_readers(h, begin, first, unused);
  kernels::possible_readers(h, end - 1, unused, last);
  for (int o = int(first); o <= int(last); o += rows_at_once) {
    const int count = int(last) - o + 1 < rows_at_once ? int(last) - o + 1 : rows_at_once;
    __syncthreads();
    if (t < count) taps[t] = float_tap(h, o + t);
    __syncthreads();
    for (int i = 0; i < count; ++i) {
      const FloatTap tap = taps[i];
      if (tap.high < begin || tap.low >= end) continue;
      while (q < tap.low) step();
      float4 sum = {0, 0, 0, 0};
      for (int s = 0; s < of_slice.count; ++s) {
        const V* v = from + (s * int(h.out) + o + i) * row;
        const float weight = of_slice.share[s];
#pragma unroll 4
        for (int k = 0; k < of_voxel.count; ++k) add(sum, weight * of_voxel.share[k], v[k * p.lanes]);
      }
      add(here, tap.at_low, sum);
      if (tap.high != tap.low) add(next, tap.at_high, sum);
    }
  }
  while (q < end) step();
}

}  // namespace sagcl::ops::cuda
