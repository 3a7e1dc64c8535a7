#pragma once
#include <algorithm>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace sagcl::engine {

int threads();            ///< number of threads used by loops below
void set_threads(int n);  ///< n >= 1

/// Runs part(p) for p in [0, parts) on up to threads() threads, the caller among them, and waits. A call from inside a part
/// runs its parts one after the other. An exception of a part is thrown again here. Waiting threads sleep: training
/// beside other work must not spin.
void run_parts(std::int64_t parts, const std::function<void(std::int64_t)>& part);

/// f(begin, end) for consecutive ranges that cover [0, n), spread over the threads. `grain` is the number of indices
/// below which a second thread does not pay. Which thread gets which range never changes what is computed.
template <class F>
void parallel_ranges(std::int64_t n, std::int64_t grain, F&& f) {
  if (n <= 0) return;
  const std::int64_t parts = std::min<std::int64_t>(threads(), (n + grain - 1) / grain);
  if (parts <= 1) return f(std::int64_t(0), n);
  run_parts(parts, [&](std::int64_t p) { f(n * p / parts, n * (p + 1) / parts); });
}

/// f(i) for i in [0, n), spread over the threads when n >= grain.
template <class F>
void parallel_for(std::int64_t n, std::int64_t grain, F&& f) {
  parallel_ranges(n, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) f(i);
  });
}

/// Σ f(i) over [0, n). Chunks have a fixed size and are added in order, so the sum does not depend on the threads.
template <class T, class F>
T parallel_sum(std::int64_t n, F&& f) {
  constexpr std::int64_t chunk = 4096;
  std::vector<T> partial(std::size_t((n + chunk - 1) / chunk));
  parallel_for(std::int64_t(partial.size()), 4, [&](std::int64_t c) {
    T s = 0;
    for (std::int64_t i = c * chunk, end = std::min(n, (c + 1) * chunk); i < end; ++i) s += f(i);
    partial[std::size_t(c)] = s;
  });
  T total = 0;
  for (T s : partial) total += s;
  return total;
}

/// take(i, make(i)) for i in [0, n): `make` on several threads, `take` on the caller's, in order; at most threads() results
/// wait. Of several failures the one of the lowest i is thrown, whichever thread was faster.
template <class Make, class Take>
void make_in_order(std::int64_t n, Make&& make, Take&& take) {
  using Made = std::invoke_result_t<Make&, std::int64_t>;
  for (std::int64_t first = 0; first < n;) {
    const std::int64_t end = std::min<std::int64_t>(n, first + threads());
    std::vector<std::optional<Made>> made(std::size_t(end - first));
    std::vector<std::exception_ptr> failed(made.size());
    run_parts(end - first, [&](std::int64_t part) {
      const std::size_t p = std::size_t(part);
      try {
        made[p].emplace(make(first + part));
      } catch (...) { failed[p] = std::current_exception(); }
    });
    for (std::size_t p = 0; first < end; ++first, ++p) {
      if (failed[p]) std::rethrow_exception(failed[p]);
      take(first, std::move(*made[p]));
    }
  }
}

}  // namespace sagcl::engine
