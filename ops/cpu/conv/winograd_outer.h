#pragma once
#include <algorithm>
#include <vector>

#include "ops/cpu/kernels.h"

namespace sagcl::ops::cpu {

/// Adds the outer products of one Winograd component to d[o * depth * C + tap * C + c], o < rows: Σ over `lines` of
/// transformed dy (already in lines[i].g) and transformed x, which for line i and depth tap starts at x_of(i, tap).
template <class F>
void winograd_outer(const Kernels& k, std::vector<OuterLine>& lines, std::int64_t depth, std::int64_t C,
                    std::int64_t g_stride, std::int64_t rows, float* d, F&& x_of) {
  const std::int64_t per_tap = C / k.lanes, vectors = depth * per_tap;
  OuterSum o{.lines = lines.data(),
             .line_count = std::int64_t(lines.size()),
             .a_stride = C,
             .g_stride = g_stride,
             .rows = rows,
             .vectors = 0,
             .d = {},
             .d_stride = depth * C};
  for (std::int64_t v = 0; v < vectors; v += o.vectors) {
    o.vectors = int(vectors - v == 4 ? 2 : std::min<std::int64_t>(3, vectors - v));  // 2 + 2 rather than 3 + 1
    for (int j = 0; j < o.vectors; ++j) {
      o.d[j] = d + (v + j) * k.lanes;
      for (std::size_t i = 0; i < lines.size(); ++i)
        lines[i].a[j] = x_of(i, (v + j) / per_tap) + (v + j) % per_tap * k.lanes;
    }
    k.outer_sum(o);
    for (OuterLine& line : lines) line.next = line.g;  // once is enough
  }
}

}  // namespace sagcl::ops::cpu
