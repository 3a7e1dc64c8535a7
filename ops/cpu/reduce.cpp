// Sums over rows in f32, e.g. the gradient of a bias.
#include "ops/cpu/columns.h"

#include <algorithm>
#include "ops/cpu/cpu_backend.h"
#include "ops/cpu/vectorised.h"

namespace sagcl::ops::cpu {

namespace {

void add(std::int64_t rows, std::int64_t width, const float* x, float* sums) {
  for (std::int64_t r = 0; r < rows; ++r, x += width)
    for (std::int64_t i = 0; i < width; ++i) sums[i] += x[i];
}

}  // namespace

void add_rows(std::int64_t rows, std::int64_t width, const float* x, float* sums) {
  vectorised([&] { add(rows, width, x, sums); });
}

void CpuBackend::sum(const Tensor& x, const Axes& v, double scale, Tensor& y) {
  const bool tall = v.inner >= 1 && v.inner <= 4096 && v.reduced >= 16 && v.reduced * v.inner >= 1024;
  if (x.dtype() != engine::Dtype::f32 || !tall) return Shared::sum(x, v, scale, y);
  const WideRows wide(v.inner);
  const std::int64_t chunks = (v.reduced + wide.rows_per_chunk - 1) / wide.rows_per_chunk;
  const std::size_t C = std::size_t(v.inner);
  std::vector<double> sums(std::size_t(chunks) * C);
  for (std::int64_t o = 0; o < v.outer; ++o) {
    const float* in = x.data<float>() + o * v.reduced * v.inner;
    std::fill(sums.begin(), sums.end(), 0.0);
    for_chunks(wide, v.reduced, [&](std::int64_t chunk, std::int64_t first, std::int64_t count) {
      std::vector<float> row(std::size_t(wide.width));
      wide_then_rest(wide, count, [&](std::int64_t r, std::int64_t w, std::int64_t at) {
        add_rows(r, w, in + first * v.inner + at, row.data());
      });
      wide.fold(row.data(), &sums[std::size_t(chunk) * C]);
    });
    std::vector<double> total(C);
    for (std::size_t i = 0; i < sums.size(); ++i) total[i % C] += sums[i];
    for (std::size_t c = 0; c < C; ++c) y.data<float>()[std::size_t(o) * C + c] = float(scale * total[c]);
  }
}

}  // namespace sagcl::ops::cpu
