#include "ops/cpu/cpu_backend.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/parallel.h"

namespace sagcl::ops::cpu {

void CpuBackend::quantiles(std::int64_t skip, const std::vector<double>& q, const Tensor& x, Tensor& y) {
  const std::int64_t rows = x.shape()[0], n = x.shape()[1];
  std::vector<std::size_t> rising(q.size());  // each search starts where the one before ended
  std::iota(rising.begin(), rising.end(), std::size_t(0));
  std::sort(rising.begin(), rising.end(), [&](std::size_t a, std::size_t b) { return q[a] < q[b]; });
  engine::visit_float(x.dtype(), [&]<class T>(engine::Type<T>) {
    engine::parallel_for(rows, 1, [&](std::int64_t row) {
      const T* in = x.data<T>() + row * n;
      T* out = y.data<T>() + row * std::int64_t(q.size());
      std::vector<T> v(static_cast<std::size_t>(n));
      std::size_t count = 0;
      // NaN is left out, -0 becomes 0
      for (std::int64_t i = 0; i < n; ++i) v[count] = in[i] + T(0), count += in[i] == in[i];
      const auto end = v.begin() + std::ptrdiff_t(count);
      auto sorted = v.begin();  // nothing behind is smaller than what stands before
      for (const std::size_t j : rising) {
        if (std::int64_t(count) <= skip) {
          out[j] = T(NAN);
          continue;
        }
        const double at = q[j] * double(std::int64_t(count) - 1 - skip), t = at - double(std::int64_t(at));
        const auto below = v.begin() + skip + std::int64_t(at);
        std::nth_element(sorted, below, end);
        sorted = below;
        const double a = double(*below), b = below + 1 == end ? a : double(*std::min_element(below + 1, end));
        out[j] = T(t < 0.5 ? a + (b - a) * t : b - (b - a) * (1 - t));
      }
    });
  });
}

}  // namespace sagcl::ops::cpu
