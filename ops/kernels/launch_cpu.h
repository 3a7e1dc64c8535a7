#pragma once
// How kernel bodies run on the CPU. A launcher offers four loops; every kernel in ops/kernels/*.inl is written against
// them, so its formula exists once. launch_cuda.cuh offers the same four for the GPU.
#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <vector>

#include "engine/parallel.h"
#include "engine/philox.h"

namespace sagcl::ops {

/// A group of threads for for_groups: here a single one.
struct OneThread {
  static constexpr int threads() { return 1; }
  int thread() const { return 0; }
  void sync() const {}                                  ///< waits for all threads of the group; none may miss it
  void add(int* own, int term) const { *own += term; }  ///< to memory of the group alone
  void add_to_all(int* sum, int term) const {           ///< to memory that other groups add to
    std::atomic_ref<int>(*sum).fetch_add(term, std::memory_order_relaxed);
  }
};

struct CpuLaunch {
  /// f(i) for i in [0, n).
  template <class F>
  static void for_each(std::int64_t n, F f) {
    engine::parallel_ranges(n, 4096, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) f(i);
    });
  }

  /// f(r, c) for every row r and column c; columns are contiguous in memory, so the inner loop vectorises.
  template <class F>
  static void for_rows(std::int64_t rows, std::int64_t columns, F f) {
    engine::parallel_ranges(rows, 1 + 4096 / (columns + 1), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r)
        for (std::int64_t c = 0; c < columns; ++c) f(r, c);
    });
  }

  /// out[k][o][i] = Σ_r f(o, r, i)[k] for K sums at once, over [outer, reduced, inner] with inner contiguous.
  /// Rows are added in fixed chunks, chunks in double and in order: the result does not depend on the threads.
  /// f returns std::array<T, K>; out holds K · outer · inner values of Out.
  template <int K, class T, class Out, class F>
  static void column_sums(std::int64_t outer, std::int64_t reduced, std::int64_t inner, F f, Out* out) {
    constexpr std::int64_t most_columns = 256;
    const std::int64_t chunk = std::max<std::int64_t>(16, 2048 / std::max<std::int64_t>(1, inner));
    const std::int64_t chunks = (reduced + chunk - 1) / chunk;
    std::vector<double> partial(std::size_t(outer * chunks * K * inner));
    engine::parallel_for(outer * chunks, 4, [&](std::int64_t part) {
      const std::int64_t o = part / chunks, begin = part % chunks * chunk, end = std::min(reduced, begin + chunk);
      for (std::int64_t first = 0; first < inner; first += most_columns) {
        const std::int64_t columns = std::min(most_columns, inner - first);
        T sums[K][most_columns] = {};
        for (std::int64_t r = begin; r < end; ++r)
          for (std::int64_t c = 0; c < columns; ++c) {
            const std::array<T, K> term = f(o, r, first + c);
            for (int k = 0; k < K; ++k) sums[k][c] += term[std::size_t(k)];
          }
        for (int k = 0; k < K; ++k)
          for (std::int64_t c = 0; c < columns; ++c)
            partial[std::size_t((part * K + k) * inner + first + c)] = double(sums[k][c]);
      }
    });
    engine::parallel_for(outer * inner, 256, [&](std::int64_t oi) {
      const std::int64_t o = oi / inner, i = oi % inner;
      for (int k = 0; k < K; ++k) {
        double total = 0;
        for (std::int64_t c = 0; c < chunks; ++c) total += partial[std::size_t(((o * chunks + c) * K + k) * inner + i)];
        out[(k * outer + o) * inner + i] = Out(total);
      }
    });
  }

  /// f(g, shared, group) for g in [0, groups): each by a group of threads that have memory F::Shared in common, not
  /// initialised.
  template <class F>
  static void for_groups(std::int64_t groups, F f) {
    engine::parallel_for(groups, 2, [&](std::int64_t g) {
      typename F::Shared shared;
      f(g, shared, OneThread());
    });
  }
};

}  // namespace sagcl::ops
