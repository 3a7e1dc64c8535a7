#pragma once
#include "ops/backend.h"

namespace sagcl::ops::kernels {

/// Four elements per call, because one call of Philox yields four words: i counts blocks of four.
template <class T>
struct Dropout {
  engine::RandomKey key;
  float p;
  T factor;
  std::int64_t n;
  const T* x;
  T* y;
  SAGCL_BOTH void operator()(std::int64_t i) const {
    const engine::RandomKey k = key.now();
    const engine::Words words = engine::philox(
        engine::Words{{std::uint32_t(i), std::uint32_t(std::uint64_t(i) >> 32), k.stream0, k.stream1}}, k.key0, k.key1);
    const std::int64_t end = n - 4 * i < 4 ? n - 4 * i : 4;
    for (std::int64_t lane = 0; lane < end; ++lane)
      y[4 * i + lane] = engine::unit(words.w[lane]) >= p ? x[4 * i + lane] * factor : T(0);
  }
};

/// Row r of image n keeps or loses whole channels; element (r, c) of one image.
template <class T>
struct ChannelDropout {
  engine::RandomKey key;
  float p;
  T factor;
  std::int64_t first;  // n * C
  const T* x;
  T* y;
  std::int64_t columns;
  SAGCL_BOTH void operator()(std::int64_t r, std::int64_t c) const {
    const std::int64_t i = r * columns + c;
    y[i] = engine::unit(key.now().word(std::uint64_t(first + c))) >= p ? x[i] * factor : T(0);
  }
};

template <class Launch>
void dropout(const DropoutSpec& spec, const Tensor& x, Tensor& y) {
  engine::visit_float(x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const T factor = T(1 / (1 - spec.p));
    const T* in = x.template data<T>();
    T* out = y.template data<T>();
    const std::int64_t n = x.size();
    if (!spec.per_channel) {
      Launch::for_each((n + 3) / 4, Dropout<T>{spec.key, float(spec.p), factor, n, in, out});
      return;
    }
    const std::int64_t images = x.shape()[0], columns = x.shape().back(), each = images ? n / images : 0;
    for (std::int64_t image = 0; image < images; ++image)
      Launch::for_rows(each / columns, columns,
                       ChannelDropout<T>{spec.key, float(spec.p), factor, image * columns, in + image * each,
                                         out + image * each, columns});
  });
}

}  // namespace sagcl::ops::kernels
