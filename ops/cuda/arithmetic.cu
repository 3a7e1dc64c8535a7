#include "ops/cuda/cuda_backend.cuh"
#include "ops/cuda/fours.cuh"

namespace sagcl::ops::cuda {
namespace {

struct AddFours {
  const Bf16x4 *a, *b;
  Bf16x4* y;
  __device__ void operator()(std::int64_t i) const {
    const float4 v = a[i], w = b[i];
    y[i] = float4{v.x + w.x, v.y + w.y, v.z + w.z, v.w + w.w};
  }
};

template <class From, class To>
struct ConvertFours {
  const From* x;
  To* y;
  __device__ void operator()(std::int64_t i) const { y[i] = float4(x[i]); }
};

}  // namespace

void CudaBackend::binary(Binary f, const Tensor& a, const Tensor& b, Tensor& y) {
  if (f != Binary::add || !is_bf16(y) || y.size() % 4 != 0) return Shared::binary(f, a, b, y);
  CudaLaunch::for_each(y.size() / 4, AddFours{fours<Bf16x4>(a), fours<Bf16x4>(b), fours<Bf16x4>(y)});
}

void CudaBackend::convert(const Tensor& x, Tensor& y) {
  if (!is_f32_or_bf16(x) || !is_f32_or_bf16(y) || y.size() % 4 != 0) return Shared::convert(x, y);
  visit_fours(x, [&](auto from) {
    visit_fours(y, [&](auto to) {
      using From = typename decltype(from)::type;
      using To = typename decltype(to)::type;
      CudaLaunch::for_each(x.size() / 4, ConvertFours<From, To>{fours<From>(x), fours<To>(y)});
    });
  });
}

}  // namespace sagcl::ops::cuda
