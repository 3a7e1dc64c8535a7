// Normalisation in f32. The statistics take one pass over memory: a chunk of rows is summed, and while it is still in
// the cache the squares of its deviations from its own mean are summed too; chunks are merged as in Chan, Golub and
// LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances" (1979).
#include <algorithm>
#include <cmath>

#include "ops/cpu/columns.h"
#include "ops/cpu/cpu_backend.h"
#include "ops/cpu/vectorised.h"

namespace sagcl::ops::cpu {

namespace {

void add_squares(std::int64_t rows, std::int64_t width, const float* x, const float* mean, float* sums) {
  for (std::int64_t r = 0; r < rows; ++r, x += width)
    for (std::int64_t i = 0; i < width; ++i) {
      const float d = x[i] - mean[i];
      sums[i] += d * d;
    }
}

/// What the passes over x need of each position in a wide row.
struct Tables {
  std::vector<float> mean, inverse, gamma, beta, pull, pull_x;
};

void apply_rows(std::int64_t rows, std::int64_t width, float slope, const float* mean, const float* inverse,
                const float* gamma, const float* beta, const float* x, float* y) {
  for (std::int64_t r = 0; r < rows; ++r, x += width, y += width)
#pragma GCC ivdep
    for (std::int64_t i = 0; i < width; ++i) {
      const float v = (x[i] - mean[i]) * inverse[i] * gamma[i] + beta[i];
      y[i] = v > 0 ? v : slope * v;
    }
}

void add_gradients(std::int64_t rows, std::int64_t width, float slope, const float* mean, const float* inverse,
                   const float* gamma, const float* beta, const float* x, const float* dy, float* sums, float* sums_x) {
  for (std::int64_t r = 0; r < rows; ++r, x += width, dy += width)
#pragma GCC ivdep
    for (std::int64_t i = 0; i < width; ++i) {
      const float normal = (x[i] - mean[i]) * inverse[i];
      const float g = normal * gamma[i] + beta[i] > 0 ? dy[i] : slope * dy[i];
      sums[i] += g;
      sums_x[i] += g * normal;
    }
}

void input_rows(std::int64_t rows, std::int64_t width, float slope, const float* mean, const float* inverse,
                const float* gamma, const float* beta, const float* pull, const float* pull_x, const float* x,
                const float* dy, float* dx) {
  for (std::int64_t r = 0; r < rows; ++r, x += width, dy += width, dx += width)
#pragma GCC ivdep
    for (std::int64_t i = 0; i < width; ++i) {
      const float normal = (x[i] - mean[i]) * inverse[i];
      const float g = normal * gamma[i] + beta[i] > 0 ? dy[i] : slope * dy[i];
      dx[i] = inverse[i] * (gamma[i] * g - pull[i] - normal * pull_x[i]);
    }
}

/// Σ and Σ of squared deviations of one chunk, per channel; `scratch` holds two wide rows.
void chunk_statistics(const WideRows& wide, std::int64_t rows, const float* x, float* scratch, double* sums,
                      double* squares) {
  float *row = scratch, *mean = scratch + wide.width;
  std::fill_n(row, wide.width, 0.0f);
  wide_then_rest(wide, rows, [&](std::int64_t r, std::int64_t w, std::int64_t at) { add_rows(r, w, x + at, row); });
  std::fill_n(sums, wide.columns, 0.0);
  wide.fold(row, sums);
  for (std::int64_t i = 0; i < wide.width; ++i) mean[i] = float(sums[i % wide.columns] / double(rows));
  std::fill_n(row, wide.width, 0.0f);
  wide_then_rest(wide, rows, [&](std::int64_t r, std::int64_t w, std::int64_t at) {
    vectorised([&] { add_squares(r, w, x + at, mean, row); });
  });
  std::fill_n(squares, wide.columns, 0.0);
  wide.fold(row, squares);
  for (std::int64_t c = 0; c < wide.columns; ++c) {  // from deviations around the rounded mean to those around the exact one
    const double d = double(mean[c]) - sums[c] / double(rows);
    squares[c] -= double(rows) * d * d;
  }
}

/// The set of (o, c), and its first channel.
std::int64_t set_of(const NormGeometry& g, std::int64_t o, std::int64_t c) {
  return o * (g.C / g.channels) + c / g.channels;
}

Tables make_tables(const NormGeometry& g, const WideRows& wide, double eps, std::int64_t o, const Tensor& mean,
                   const Tensor& variance, const Tensor& gamma, const Tensor& beta) {
  std::vector<float> m(static_cast<std::size_t>(g.C)), inverse(m.size());
  for (std::int64_t c = 0; c < g.C; ++c) {
    m[std::size_t(c)] = mean.data<float>()[set_of(g, o, c)];
    inverse[std::size_t(c)] = float(1 / std::sqrt(double(variance.data<float>()[set_of(g, o, c)]) + eps));
  }
  Tables t{wide.repeated(m.data()),
           wide.repeated(inverse.data()),
           wide.repeated(gamma.data<float>()),
           wide.repeated(beta.data<float>()),
           {},
           {}};
  t.pull.assign(t.mean.size(), 0.0f);
  t.pull_x.assign(t.mean.size(), 0.0f);
  return t;
}

}  // namespace

void CpuBackend::norm_statistics(const NormGeometry& g, const Tensor& x, Tensor& mean, Tensor& variance) {
  if (x.dtype() != engine::Dtype::f32) return Shared::norm_statistics(g, x, mean, variance);
  const WideRows wide(g.C);
  const std::int64_t outer = g.N / g.images, rows = g.images * g.V,
                     chunks = (rows + wide.rows_per_chunk - 1) / wide.rows_per_chunk;
  std::vector<double> sums(std::size_t(chunks * g.C)), squares(sums.size());
  for (std::int64_t o = 0; o < outer; ++o) {
    const float* in = x.data<float>() + o * rows * g.C;
    for_chunks(wide, rows, [&](std::int64_t chunk, std::int64_t first, std::int64_t count) {
      std::vector<float> scratch(std::size_t(2 * wide.width));
      chunk_statistics(wide, count, in + first * g.C, scratch.data(), &sums[std::size_t(chunk * g.C)],
                       &squares[std::size_t(chunk * g.C)]);
    });
    for (std::int64_t first = 0; first < g.C; first += g.channels) {
      double total = 0, deviation = 0;
      for (std::int64_t k = 0; k < chunks; ++k)
        for (std::int64_t c = first; c < first + g.channels; ++c) total += sums[std::size_t(k * g.C + c)];
      const double m = total / double(g.count());
      for (std::int64_t k = 0; k < chunks; ++k) {
        const double count = double(std::min(wide.rows_per_chunk, rows - k * wide.rows_per_chunk));
        for (std::int64_t c = first; c < first + g.channels; ++c) {
          const double d = sums[std::size_t(k * g.C + c)] / count - m;
          deviation += squares[std::size_t(k * g.C + c)] + count * d * d;
        }
      }
      mean.data<float>()[set_of(g, o, first)] = float(m);
      variance.data<float>()[set_of(g, o, first)] = float(std::max(0.0, deviation / double(g.count())));
    }
  }
}

void CpuBackend::norm_apply(const NormOperands& n, Tensor& y) {
  const auto& [g, act, eps, x, mean, variance, gamma, beta] = n;
  if (x.dtype() != engine::Dtype::f32) return Shared::norm_apply(n, y);
  const WideRows wide(g.C);
  const float slope = float(act.slope);
  const std::int64_t outer = g.N / g.images, rows = g.images * g.V;
  for (std::int64_t o = 0; o < outer; ++o) {
    const Tables t = make_tables(g, wide, eps, o, mean, variance, gamma, beta);
    const float* in = x.data<float>() + o * rows * g.C;
    float* out = y.data<float>() + o * rows * g.C;
    for_chunks(wide, rows, [&](std::int64_t, std::int64_t first, std::int64_t count) {
      wide_then_rest(wide, count, [&](std::int64_t r, std::int64_t w, std::int64_t at) {
        vectorised([&] {
          apply_rows(r, w, slope, t.mean.data(), t.inverse.data(), t.gamma.data(), t.beta.data(),
                     in + first * wide.columns + at, out + first * wide.columns + at);
        });
      });
    });
  }
}

void CpuBackend::norm_backward(const NormOperands& n, bool fixed, const Tensor& dy, Tensor& dx, Tensor& dgamma,
                               Tensor& dbeta) {
  const auto& [g, act, eps, x, mean, variance, gamma, beta] = n;
  if (x.dtype() != engine::Dtype::f32) return Shared::norm_backward(n, fixed, dy, dx, dgamma, dbeta);
  const WideRows wide(g.C);
  const float slope = float(act.slope), *factor = gamma.data<float>();
  const std::int64_t outer = g.N / g.images, rows = g.images * g.V,
                     chunks = (rows + wide.rows_per_chunk - 1) / wide.rows_per_chunk;
  const std::size_t C = std::size_t(g.C);
  std::vector<double> sums(std::size_t(chunks) * C), sums_x(sums.size()), total(C), total_x(C);
  for (std::int64_t o = 0; o < outer; ++o) {
    Tables t = make_tables(g, wide, eps, o, mean, variance, gamma, beta);
    const float *in = x.data<float>() + o * rows * g.C, *d = dy.data<float>() + o * rows * g.C;
    float* out = dx.data<float>() + o * rows * g.C;
    std::fill(sums.begin(), sums.end(), 0.0);
    std::fill(sums_x.begin(), sums_x.end(), 0.0);
    for_chunks(wide, rows, [&](std::int64_t chunk, std::int64_t first, std::int64_t count) {
      std::vector<float> scratch(std::size_t(2 * wide.width));
      wide_then_rest(wide, count, [&](std::int64_t r, std::int64_t w, std::int64_t at) {
        vectorised([&] {
          add_gradients(r, w, slope, t.mean.data(), t.inverse.data(), t.gamma.data(), t.beta.data(),
                        in + first * wide.columns + at, d + first * wide.columns + at, scratch.data(),
                        scratch.data() + wide.width);
        });
      });
      wide.fold(scratch.data(), &sums[std::size_t(chunk) * C]);
      wide.fold(scratch.data() + wide.width, &sums_x[std::size_t(chunk) * C]);
    });
    std::vector<double> own(C), own_x(C);
    for (std::size_t i = 0; i < sums.size(); ++i) own[i % C] += sums[i], own_x[i % C] += sums_x[i];
    for (std::size_t c = 0; c < C; ++c) total[c] += own[c], total_x[c] += own_x[c];
    if (!fixed) {
      std::vector<float> pull(C), pull_x(C);
      for (std::int64_t c = 0; c < g.C; ++c) {
        double p = 0, p_x = 0;
        for (std::int64_t k = c / g.channels * g.channels, end = k + g.channels; k < end; ++k)
          p += double(factor[k]) * own[std::size_t(k)], p_x += double(factor[k]) * own_x[std::size_t(k)];
        pull[std::size_t(c)] = float(p / double(g.count()));
        pull_x[std::size_t(c)] = float(p_x / double(g.count()));
      }
      t.pull = wide.repeated(pull.data());
      t.pull_x = wide.repeated(pull_x.data());
    }
    for_chunks(wide, rows, [&](std::int64_t, std::int64_t first, std::int64_t count) {
      wide_then_rest(wide, count, [&](std::int64_t r, std::int64_t w, std::int64_t at) {
        vectorised([&] {
          input_rows(r, w, slope, t.mean.data(), t.inverse.data(), t.gamma.data(), t.beta.data(), t.pull.data(),
                     t.pull_x.data(), in + first * wide.columns + at, d + first * wide.columns + at,
                     out + first * wide.columns + at);
        });
      });
    });
  }
  for (std::size_t c = 0; c < C; ++c) dgamma.data<float>()[c] = float(total_x[c]), dbeta.data<float>()[c] = float(total[c]);
}

}  // namespace sagcl::ops::cpu
