#include <cuda_bf16.h>

#include <cmath>

#include "engine/devices/device_registry.h"
#include "ops/cuda/conv.h"
#include "ops/cuda/cudnn/tf32_split.cuh"
#include "ops/cuda/fours.cuh"
#include "ops/cuda/launch_cuda.cuh"
#include "ops/cuda/runtime/scratch.h"
#include "ops/kernels/conv_reference.inl"

namespace sagcl::ops::cuda {
namespace {

template <class T>
const T* pointer(const Tensor& t) {
  return t.defined() ? t.data<T>() : nullptr;
}

/// w [O, taps, C] -> [C, taps reversed, O]
struct FlipWeights {
  std::int64_t O, taps, C;
  const float* w;
  float* flipped;
  __device__ void operator()(std::int64_t i) const {
    const std::int64_t o = i % O, tap = i / O % taps, c = i / O / taps;
    flipped[i] = w[(o * taps + (taps - 1 - tap)) * C + c];
  }
};

/// Four values per call: 16 bytes on the wide side.
struct ToBf16 {
  const float* from;
  __nv_bfloat16* to;
  std::int64_t n;
  __device__ void operator()(std::int64_t i) const {
    if (4 * i + 3 < n) {
      const float4 v = reinterpret_cast<const float4*>(from)[i];
      reinterpret_cast<__nv_bfloat162*>(to)[2 * i] = __floats2bfloat162_rn(v.x, v.y);
      reinterpret_cast<__nv_bfloat162*>(to)[2 * i + 1] = __floats2bfloat162_rn(v.z, v.w);
    } else {
      for (std::int64_t k = 4 * i; k < n; ++k) to[k] = __float2bfloat16_rn(from[k]);
    }
  }
};

struct FromBf16 {
  const __nv_bfloat16* from;
  float* to;
  std::int64_t n;
  __device__ void operator()(std::int64_t i) const {
    if (4 * i + 3 < n) {
      const __nv_bfloat162 a = reinterpret_cast<const __nv_bfloat162*>(from)[2 * i],
                           b = reinterpret_cast<const __nv_bfloat162*>(from)[2 * i + 1];
      reinterpret_cast<float4*>(to)[i] = make_float4(__low2float(a), __high2float(a), __low2float(b), __high2float(b));
    } else {
      for (std::int64_t k = 4 * i; k < n; ++k) to[k] = __bfloat162float(from[k]);
    }
  }
};

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

struct Difference {
  const float *a, *b;
  __host__ __device__ std::array<double, 2> operator()(std::int64_t, std::int64_t r, std::int64_t) const {
    const double d = double(a[r]) - double(b[r]);
    return {{d * d, double(b[r]) * double(b[r])}};
  }
};

__global__ void delay_kernel(long long cycles) {
  const long long begin = clock64();
  while (clock64() - begin < cycles) {}
}

}  // namespace

void reference_forward(const ConvGeometry& g, const Tensor& x, const Tensor& w, const Tensor& b, Tensor& y) {
  engine::visit_float(y.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    CudaLaunch::for_each(y.size(), kernels::ConvForward<T>{g, x.data<T>(), w.data<T>(), pointer<T>(b), y.data<T>()});
  });
}

void reference_data(const ConvGeometry& g, const Tensor& w, const Tensor& dy, const Tensor& b, Tensor& dx) {
  engine::visit_float(dx.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    CudaLaunch::for_each(dx.size(), kernels::ConvBackwardData<T>{g, w.data<T>(), dy.data<T>(), pointer<T>(b), dx.data<T>()});
  });
}

void reference_weight(const ConvGeometry& g, const Tensor& x, const Tensor& dy, Tensor& dw) {
  engine::visit_float(dw.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    CudaLaunch::for_each(dw.size(), kernels::ConvBackwardWeight<T>{g, x.data<T>(), dy.data<T>(), dw.data<T>()});
  });
}

void flip_weights(const ConvGeometry& g, const Tensor& w, Tensor& flipped) {
  CudaLaunch::for_each(w.size(), FlipWeights{g.O, g.kernel.volume(), g.C, w.data<float>(), flipped.data<float>()});
}

void to_bf16(const float* from, void* to, std::int64_t n) {
  CudaLaunch::for_each((n + 3) / 4, ToBf16{from, static_cast<__nv_bfloat16*>(to), n});
}

void from_bf16(const void* from, float* to, std::int64_t n) {
  CudaLaunch::for_each((n + 3) / 4, FromBf16{static_cast<const __nv_bfloat16*>(from), to, n});
}

void add_bias(const Tensor& b, Tensor& y) {
  const std::int64_t C = b.size();
  if (C % 4 == 0) CudaLaunch::for_rows(y.size() / C, C / 4, AddBias{C / 4, fours(b), fours(y)});
  else CudaLaunch::for_rows(y.size() / C, C, AddBiasSingly{C, b.data<float>(), y.data<float>()});
}

void split_tf32(const float* x, std::int64_t n, std::int64_t columns, Parts parts, float* y) {
  CudaLaunch::for_rows(n / columns, columns, SplitTf32{columns, parts, x, y});
}

double relative_difference(const float* a, const float* b, std::int64_t n) {
  const Scratch<double> sums(2);
  CudaLaunch::column_sums<2, double>(1, n, 1, Difference{a, b}, sums.data());
  double squares[2];
  engine::runtime(device()).copy_to_host(squares, sums.data(), sizeof squares);
  return std::sqrt(squares[0] / squares[1]);
}

void delay() {
  delay_kernel<<<1, 1, 0, stream()>>>(800'000);  // cycles of a clock of 1.5 to 2 GHz
  check_launch("delay");
}

}  // namespace sagcl::ops::cuda
