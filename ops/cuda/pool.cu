#include "ops/cuda/cuda_backend.cuh"
#include "ops/cuda/fours.cuh"

namespace sagcl::ops::cuda {
namespace {

/// Sizes for 32-bit positions: voxel i of [N, D, H, W] without slow divisions.
struct Volume {
  int d, h, w;
  Divisor by_d, by_h, by_w;
  explicit Volume(const Extents& e)
      : d(int(e[0])), h(int(e[1])), w(int(e[2])), by_d(std::uint32_t(d)), by_h(std::uint32_t(h)), by_w(std::uint32_t(w)) {}
  __host__ __device__ int split(std::int64_t voxel, int p[3]) const {
    const std::uint32_t i = std::uint32_t(voxel), row = by_w.divide(i), slice = by_h.divide(row), n = by_d.divide(slice);
    p[2] = int(i - row * std::uint32_t(w));
    p[1] = int(row - slice * std::uint32_t(h));
    p[0] = int(slice - n * std::uint32_t(d));
    return int(n);
  }
  __host__ __device__ std::int64_t join(int n, int z, int y, int x) const {
    return ((std::int64_t(n) * d + z) * h + y) * w + x;
  }
};

/// Windows that tile x without gap or overlap.
struct Tiling {
  Volume in, out;
  int window[3];
  int lanes;  // C / 4
  explicit Tiling(const PoolGeometry& g)
      : in(g.in), out(g.out), window{int(g.window[0]), int(g.window[1]), int(g.window[2])}, lanes(int(g.C / 4)) {}
  static bool fits(const PoolGeometry& g) {
    for (int a = 0; a < 3; ++a)
      if (g.window[a] != g.stride[a] || g.in[a] != g.out[a] * g.window[a]) return false;
    return true;
  }
  /// f(tap, address of the voxel's four channels in x) for the window of output voxel r.
  template <class F>
  __device__ void for_window(std::int64_t r, std::int64_t lane, F f) const {
    int p[3];
    const int n = out.split(r, p);
    int tap = 0;
    for (int z = 0; z < window[0]; ++z)
      for (int y = 0; y < window[1]; ++y)
        for (int x = 0; x < window[2]; ++x, ++tap)
          f(tap, in.join(n, p[0] * window[0] + z, p[1] * window[1] + y, p[2] * window[2] + x) * lanes + lane);
  }
};

/// The first of equals; a NaN wins, as in ops/kernels/pool.inl.
__device__ void take(float v, int tap, float& best, unsigned char& where) {
  if (tap == 0 || v > best || (v != v && best == best)) best = v, where = static_cast<unsigned char>(tap);
}

template <class V>
struct TiledMaxPool {
  Tiling t;
  const V* x;
  V* y;
  uchar4* index;
  __device__ void operator()(std::int64_t r, std::int64_t lane) const {
    float4 best = {0, 0, 0, 0};
    uchar4 where = {0, 0, 0, 0};
    t.for_window(r, lane, [&](int tap, std::int64_t at) {
      const float4 v = x[at];
      take(v.x, tap, best.x, where.x);
      take(v.y, tap, best.y, where.y);
      take(v.z, tap, best.z, where.z);
      take(v.w, tap, best.w, where.w);
    });
    y[r * t.lanes + lane] = best;
    index[r * t.lanes + lane] = where;
  }
};

template <class V>
struct TiledMaxPoolBackward {
  Tiling t;
  const uchar4* index;
  const V* dy;
  V* dx;
  __device__ void operator()(std::int64_t r, std::int64_t lane) const {
    const float4 d = dy[r * t.lanes + lane];
    const uchar4 k = index[r * t.lanes + lane];
    t.for_window(r, lane, [&](int tap, std::int64_t at) {
      dx[at] = float4{k.x == tap ? d.x : 0, k.y == tap ? d.y : 0, k.z == tap ? d.z : 0, k.w == tap ? d.w : 0};
    });
  }
};

}  // namespace

void CudaBackend::max_pool(const PoolGeometry& g, const Tensor& x, Tensor& y, Tensor& index) {
  if (!in_fours(g.C, x, g.N * g.in.volume()) || !Tiling::fits(g)) return Shared::max_pool(g, x, y, index);
  visit_fours(x, [&](auto type) {
    using V = typename decltype(type)::type;
    auto* positions = reinterpret_cast<uchar4*>(index.data<std::uint8_t>());
    CudaLaunch::for_rows(g.N * g.out.volume(), g.C / 4, TiledMaxPool<V>{Tiling(g), fours<V>(x), fours<V>(y), positions});
  });
}

void CudaBackend::max_pool_backward(const PoolGeometry& g, const Tensor& index, const Tensor& dy, Tensor& dx) {
  if (!in_fours(g.C, dx, g.N * g.in.volume()) || !Tiling::fits(g)) return Shared::max_pool_backward(g, index, dy, dx);
  visit_fours(dx, [&](auto type) {
    using V = typename decltype(type)::type;
    const auto* positions = reinterpret_cast<const uchar4*>(index.data<std::uint8_t>());
    CudaLaunch::for_rows(g.N * g.out.volume(), g.C / 4,
                         TiledMaxPoolBackward<V>{Tiling(g), positions, fours<V>(dy), fours<V>(dx)});
  });
}

}  // namespace sagcl::ops::cuda
