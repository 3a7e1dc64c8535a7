// The rows with the largest scores: one pass that keeps candidates, where the shared kernel counts for every row how many
// come before it.
#include <algorithm>
#include <tuple>
#include <vector>

#include "engine/parallel.h"
#include "ops/cpu/cpu_backend.h"

namespace sagcl::ops::cpu {

void CpuBackend::top_rows(double least, const Tensor& score, const Tensor& weight, Tensor& picks, Tensor& counted) {
  const std::int64_t M = score.shape()[0], K = score.shape()[1];
  const auto n = std::size_t(picks.shape()[1]);
  engine::visit_float(score.dtype(), [&]<class T>(engine::Type<T>) {
    using Place = std::tuple<bool, typename kernels::KeyOf<T>::type, std::int32_t>;  // in rising order
    engine::parallel_for(K, 1, [&](std::int64_t k) {
      std::vector<Place> best;
      best.reserve(2 * n);
      Place last;  // of the first n, once there were 2n
      bool full = false;
      std::int64_t eligible = 0;
      for (std::int64_t m = 0; m < M && n > 0; ++m) {
        const bool late = !(weight.data<T>()[m * K + k] >= T(least));
        eligible += !late;
        const Place place{late, kernels::rising(-score.data<T>()[m * K + k]), std::int32_t(m)};
        if (full && !(place < last)) continue;
        best.push_back(place);
        if (best.size() < 2 * n) continue;
        std::nth_element(best.begin(), best.begin() + std::ptrdiff_t(n - 1), best.end());
        best.resize(n);
        last = best.back(), full = true;
      }
      std::sort(best.begin(), best.end());
      for (std::size_t i = 0; i < n; ++i) picks.data<std::int32_t>()[std::size_t(k) * n + i] = std::get<2>(best[i]);
      counted.data<std::int32_t>()[k] = std::int32_t(std::min(eligible, std::int64_t(n)));
    });
  });
}

}  // namespace sagcl::ops::cpu
