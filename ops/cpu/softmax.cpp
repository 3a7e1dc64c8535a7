// Softmax of few classes in f32, 32 rows at a time: the exponentials dominate.
#include "ops/cpu/columns.h"

#include <algorithm>
#include "ops/cpu/cpu_backend.h"
#include "ops/cpu/vectorised.h"
#include "ops/kernels/exponential.h"

namespace sagcl::ops::cpu {

namespace {

constexpr std::int64_t lanes = 32;  // rows done together

/// 32 rows of C scores as C vectors of 32.
template <int C>
struct Block {
  float v[C][lanes];
  void load(const float* x) {
    for (std::int64_t l = 0; l < lanes; ++l)
      for (int c = 0; c < C; ++c) v[c][l] = x[l * C + c];
  }
  void store(float* y) const {
    for (std::int64_t l = 0; l < lanes; ++l)
      for (int c = 0; c < C; ++c) y[l * C + c] = v[c][l];
  }
};

template <int C, bool logarithm>
void softmax_block(const float* x, float* y) {
  Block<C> b;
  b.load(x);
  float top[lanes], sum[lanes] = {};
  for (std::int64_t l = 0; l < lanes; ++l) top[l] = b.v[0][l];
  for (int c = 1; c < C; ++c)
    for (std::int64_t l = 0; l < lanes; ++l) top[l] = b.v[c][l] > top[l] ? b.v[c][l] : top[l];
  for (int c = 0; c < C; ++c)
    for (std::int64_t l = 0; l < lanes; ++l) {
      const float below = b.v[c][l] - top[l], e = kernels::exponential(below);
      sum[l] += e;
      b.v[c][l] = logarithm ? below : e;
    }
  if (logarithm)
    for (std::int64_t l = 0; l < lanes; ++l) sum[l] = kernels::logarithm(sum[l]);
  for (int c = 0; c < C; ++c)
    for (std::int64_t l = 0; l < lanes; ++l) b.v[c][l] = logarithm ? b.v[c][l] - sum[l] : b.v[c][l] / sum[l];
  b.store(y);
}

template <int C, bool logarithm>
void backward_block(const float* y, const float* dy, float* dx) {
  Block<C> out, d;
  out.load(y);
  d.load(dy);
  float sum[lanes] = {};
  for (int c = 0; c < C; ++c)
    for (std::int64_t l = 0; l < lanes; ++l) sum[l] += logarithm ? d.v[c][l] : out.v[c][l] * d.v[c][l];
  for (int c = 0; c < C; ++c)
    for (std::int64_t l = 0; l < lanes; ++l)
      d.v[c][l] = logarithm ? d.v[c][l] - kernels::exponential(out.v[c][l]) * sum[l] : out.v[c][l] * (d.v[c][l] - sum[l]);
  d.store(dx);
}

template <int C>
void softmax_blocks(std::int64_t blocks, bool logarithm, const float* x, float* y) {
  for (std::int64_t b = 0; b < blocks; ++b, x += lanes * C, y += lanes * C)
    logarithm ? softmax_block<C, true>(x, y) : softmax_block<C, false>(x, y);
}
template <int C>
void backward_blocks(std::int64_t blocks, bool logarithm, const float* y, const float* dy, float* dx) {
  for (std::int64_t b = 0; b < blocks; ++b, y += lanes * C, dy += lanes * C, dx += lanes * C)
    logarithm ? backward_block<C, true>(y, dy, dx) : backward_block<C, false>(y, dy, dx);
}

void softmax_rows(int columns, std::int64_t blocks, bool logarithm, const float* x, float* y) {
  vectorised([=] {
    if (columns == 2) softmax_blocks<2>(blocks, logarithm, x, y);
    else if (columns == 3) softmax_blocks<3>(blocks, logarithm, x, y);
    else softmax_blocks<4>(blocks, logarithm, x, y);
  });
}
void backward_rows(int columns, std::int64_t blocks, bool logarithm, const float* y, const float* dy, float* dx) {
  vectorised([=] {
    if (columns == 2) backward_blocks<2>(blocks, logarithm, y, dy, dx);
    else if (columns == 3) backward_blocks<3>(blocks, logarithm, y, dy, dx);
    else backward_blocks<4>(blocks, logarithm, y, dy, dx);
  });
}

/// f(first row, blocks) over whole blocks, spread over the threads. The rows left over are computed in a padded block.
template <class F>
void over_blocks(std::int64_t rows, F&& f) {
  engine::parallel_ranges(rows / lanes, 128, [&](std::int64_t begin, std::int64_t end) { f(begin * lanes, end - begin); });
}

}  // namespace

void CpuBackend::softmax(bool logarithm, const Tensor& x, Tensor& y) {
  if (x.dtype() != engine::Dtype::f32 || x.shape().back() < 2 || x.shape().back() > 4)
    return Shared::softmax(logarithm, x, y);
  const std::int64_t C = x.shape().back(), rows = x.size() / C, done = rows / lanes * lanes, left = (rows - done) * C;
  const float* in = x.data<float>();
  float* out = y.data<float>();
  over_blocks(rows, [&](std::int64_t first, std::int64_t blocks) {
    softmax_rows(int(C), blocks, logarithm, in + first * C, out + first * C);
  });
  if (left == 0) return;
  float last[4 * lanes] = {};
  std::copy_n(in + done * C, left, last);
  softmax_rows(int(C), 1, logarithm, last, last);
  std::copy_n(last, left, out + done * C);
}

void CpuBackend::softmax_backward(bool logarithm, const Tensor& y, const Tensor& dy, Tensor& dx) {
  if (y.dtype() != engine::Dtype::f32 || y.shape().back() < 2 || y.shape().back() > 4)
    return Shared::softmax_backward(logarithm, y, dy, dx);
  const std::int64_t C = y.shape().back(), rows = y.size() / C, done = rows / lanes * lanes, left = (rows - done) * C;
  const float *out = y.data<float>(), *d = dy.data<float>();
  float* in = dx.data<float>();
  over_blocks(rows, [&](std::int64_t first, std::int64_t blocks) {
    backward_rows(int(C), blocks, logarithm, out + first * C, d + first * C, in + first * C);
  });
  if (left == 0) return;
  float last[4 * lanes] = {}, last_d[4 * lanes] = {};
  std::copy_n(out + done * C, left, last);
  std::copy_n(d + done * C, left, last_d);
  backward_rows(int(C), 1, logarithm, last, last_d, last_d);
  std::copy_n(last_d, left, in + done * C);
}

}  // namespace sagcl::ops::cpu
