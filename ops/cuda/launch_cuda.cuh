#pragma once
// How kernel bodies run on the GPU: the four loops of ops/kernels/launch_cpu.h. No float atomics, so results are the same
// every time.
#include <cmath>

#include "engine/devices/buffer.h"
#include "ops/cuda/loops.cuh"
#include "ops/cuda/runtime/stream.h"

namespace sagcl::ops::cuda {

struct CudaLaunch {
  template <class F>
  static void for_each(std::int64_t n, F f) {
    if (n <= 0) return;
    each_kernel<<<blocks(n), block_threads, 0, stream()>>>(n, f);
    check_launch("for_each");
  }

  template <class F>
  static void for_rows(std::int64_t rows, std::int64_t columns, F f) {
    const std::int64_t total = rows * columns;
    if (total <= 0) return;
    if (total < (std::int64_t(1) << 31))
      rows_kernel<<<blocks(total), block_threads, 0, stream()>>>(std::uint32_t(total), Divisor(std::uint32_t(columns)), f);
    else long_rows_kernel<<<blocks(total), block_threads, 0, stream()>>>(total, columns, f);
    check_launch("for_rows");
  }

  template <int K, class T, class Out, class F>
  static void column_sums(std::int64_t outer, std::int64_t reduced, std::int64_t inner, F f, Out* out) {
    if (outer <= 0 || inner <= 0) return;
    const SumPlan plan(outer, reduced, inner);
    if (plan.by_thread()) return for_rows(outer, inner, SumByThread<K, T, Out, F>{outer, reduced, inner, f, out});
    if (plan.chunks == 1) {
      sums_kernel<K, T><<<unsigned(plan.grid()), block_threads, 0, stream()>>>(plan, f, out);
      return check_launch("column_sums");
    }
    const engine::Buffer partial(device(), std::size_t(K * outer * plan.chunks * inner) * sizeof(double));
    double* sums = static_cast<double*>(partial.data());
    sums_kernel<K, T><<<unsigned(plan.grid()), block_threads, 0, stream()>>>(plan, f, sums);
    check_launch("column_sums, first stage");
    SumPlan join(outer, plan.chunks, inner);
    join.chunks = 1, join.rows = plan.chunks;
    sums_kernel<K, double>
        <<<unsigned(join.grid()), block_threads, 0, stream()>>>(join, PartialSum<K>{outer, plan.chunks, inner, sums}, out);
    check_launch("column_sums, second stage");
  }

  template <class F>
  static void for_groups(std::int64_t groups, F f) {
    if (groups <= 0) return;
    groups_kernel<<<unsigned(groups), block_threads, 0, stream()>>>(f);
    check_launch("for_groups");
  }

 private:
  static unsigned blocks(std::int64_t n) {
    const std::int64_t wanted = (n + block_threads - 1) / block_threads, most = std::int64_t(1) << 23;
    return unsigned(wanted < most ? wanted : most);
  }
};

}  // namespace sagcl::ops::cuda
