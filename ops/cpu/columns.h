#pragma once
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "engine/parallel.h"

/// A matrix of few columns (channels) and very many rows (voxels) is the shape of every activation. Loops over it are
/// written along memory: `width` neighbouring floats, a whole number of rows, are treated as one wide row, so that even
/// a single channel fills vectors. What belongs to a channel is repeated to that width.
namespace sagcl::ops::cpu {

struct WideRows {
  std::int64_t columns, repeats, width;  ///< width = columns · repeats
  std::int64_t rows_per_chunk;           ///< of plain rows; a multiple of repeats. Depends on the columns alone.

  explicit WideRows(std::int64_t c) : columns(c) {
    repeats = c >= 64 ? 1 : 16 / std::gcd<std::int64_t>(16, c);  // whole vectors
    while (repeats * c < 64) repeats *= 2;
    width = repeats * c;
    rows_per_chunk = std::max<std::int64_t>(1, 16384 / width) * repeats;
  }

  /// table[c] -> table[c mod columns] for a whole wide row.
  std::vector<float> repeated(const float* table) const {
    std::vector<float> wide(static_cast<std::size_t>(width));
    for (std::int64_t i = 0; i < width; ++i) wide[std::size_t(i)] = table[i % columns];
    return wide;
  }

  /// sums[c] += Σ of a wide row's entries of channel c.
  void fold(const float* wide, double* sums) const {
    for (std::int64_t r = 0; r < repeats; ++r)
      for (std::int64_t c = 0; c < columns; ++c) sums[c] += double(wide[r * columns + c]);
  }
};

/// Calls f(rows, width, offset) for the whole wide rows of a stretch of plain rows, then for what is left over.
template <class F>
void wide_then_rest(const WideRows& wide, std::int64_t rows, F&& f) {
  const std::int64_t whole = rows / wide.repeats, left = rows % wide.repeats;
  if (whole) f(whole, wide.width, std::int64_t(0));
  if (left) f(std::int64_t(1), left * wide.columns, whole * wide.width);
}

/// sums[i] += Σ_r x[r, i] over rows of `width` (ops/cpu/reduce.cpp).
void add_rows(std::int64_t rows, std::int64_t width, const float* x, float* sums);

/// f(chunk, first row, rows) for fixed chunks of rows, spread over the threads.
template <class F>
void for_chunks(const WideRows& wide, std::int64_t rows, F&& f) {
  const std::int64_t chunks = (rows + wide.rows_per_chunk - 1) / wide.rows_per_chunk;
  engine::parallel_for(chunks, 2, [&](std::int64_t chunk) {
    const std::int64_t first = chunk * wide.rows_per_chunk;
    f(chunk, first, std::min(wide.rows_per_chunk, rows - first));
  });
}

}  // namespace sagcl::ops::cpu
