#pragma once
#include <algorithm>
#include <atomic>

#include "engine/parallel.h"
#include "engine/tensor.h"

namespace sagcl::ops::cpu {

inline std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
inline std::int64_t whole_lines(std::int64_t floats) { return ceil_div(floats, 16) * 16; }  ///< of the cache

/// Memory for the length of a call. The sizes are powers of two, so that layers of different shapes reuse the same few
/// blocks of the caching allocator instead of each leaving its own behind.
inline engine::Tensor scratch_memory(std::int64_t floats) {
  std::int64_t size = 4096;
  while (size < floats) size *= 2;
  return engine::Tensor::empty({size});
}

/// f(item, worker) for every item; a thread that has finished one takes the next, so a thread that is held up delays
/// nobody. `worker` < engine::threads() names the scratch memory that is the thread's own. The items must be independent:
/// which thread computes one, and when, is not determined. `cost` is multiply-adds per item.
template <class F>
void share_work(std::int64_t items, double cost, F&& f) {
  constexpr double worth_a_thread = 4e5;
  const auto wanted = std::int64_t(std::min(1e6, double(items) * cost / worth_a_thread)) + 1;
  const std::int64_t workers = std::min({std::int64_t(engine::threads()), wanted, items});
  std::atomic<std::int64_t> next{0};
  engine::parallel_for(workers, 1, [&](std::int64_t worker) {
    for (std::int64_t i = next++; i < items; i = next++) f(i, worker);
  });
}

}  // namespace sagcl::ops::cpu
