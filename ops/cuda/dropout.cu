#include "engine/devices/buffer.h"
#include "ops/cuda/cuda_backend.cuh"
#include "ops/cuda/fours.cuh"

namespace sagcl::ops::cuda {
namespace {

/// One call of Philox gives the four words of four elements.
template <class V>
struct ElementDropout {
  engine::RandomKey key;
  float p, factor;
  const V* x;
  V* y;
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
template <class V>
struct ChannelDropout {
  float factor;
  std::int64_t lanes;
  const uchar4* keep;
  const V* x;
  V* y;
  __device__ void operator()(std::int64_t r, std::int64_t lane) const {
    const uchar4 k = keep[lane];
    const float4 v = x[r * lanes + lane];
    y[r * lanes + lane] =
        float4{k.x ? v.x * factor : 0, k.y ? v.y * factor : 0, k.z ? v.z * factor : 0, k.w ? v.w * factor : 0};
  }
};

}  // namespace

void CudaBackend::dropout(const DropoutSpec& spec, const Tensor& x, Tensor& y) {
  const std::int64_t images = x.shape()[0], C = x.shape().back(), each = images ? x.size() / images : 0;
  if (!is_f32_or_bf16(x) || x.size() % 4 != 0 || (spec.per_channel && C % 4 != 0)) return Shared::dropout(spec, x, y);
  const float factor = float(1 / (1 - spec.p));
  visit_fours(x, [&](auto type) {
    using V = typename decltype(type)::type;
    if (!spec.per_channel)
      return CudaLaunch::for_each(x.size() / 4,
                                  ElementDropout<V>{spec.key, float(spec.p), factor, fours<V>(x), fours<V>(y)});
    const engine::Buffer keep(device(), std::size_t(images * C));
    auto* flags = static_cast<std::uint8_t*>(keep.data());
    CudaLaunch::for_each(images * C, DrawChannels{spec.key, float(spec.p), flags});
    for (std::int64_t n = 0; n < images; ++n)
      CudaLaunch::for_rows(each / C, C / 4,
                           ChannelDropout<V>{factor, C / 4, reinterpret_cast<const uchar4*>(flags + n * C),
                                             fours<V>(x) + n * each / 4, fours<V>(y) + n * each / 4});
  });
}

}  // namespace sagcl::ops::cuda
