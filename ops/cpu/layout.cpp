// Moving elements, as runs of bytes that lie together on both sides.
#include <algorithm>
#include <cstring>

#include "engine/parallel.h"
#include "ops/cpu/cpu_backend.h"

namespace sagcl::ops::cpu {

namespace {

/// `runs` runs of `count` bytes. Short ones, the channels of a voxel, would each cost a call.
void copy_runs(std::int64_t runs, std::int64_t count, const char* from, std::int64_t from_step, char* to,
               std::int64_t to_step) {
  const bool brief = count % 16 == 0 && count <= 256;
  for (std::int64_t r = 0; r < runs; ++r, from += from_step, to += to_step) {
    if (!brief) std::memcpy(to, from, std::size_t(count));
    else
      for (std::int64_t i = 0; i < count; i += 16) std::memcpy(to + i, from + i, 16);
  }
}

}  // namespace

void CpuBackend::copy_block(const BlockCopy& b, const Tensor& x, Tensor& y) {
  int axis = 4;  // the first axis of a run: everything behind it is whole on both sides
  while (axis > 0 && b.extent[axis] == b.x_shape[axis] && b.extent[axis] == b.y_shape[axis]) --axis;
  std::int64_t bytes = std::int64_t(engine::bytes_of(x.dtype())), rows = 1;
  for (int a = axis + 1; a < 5; ++a) bytes *= b.extent[a];
  const std::int64_t x_skip = b.x_begin[axis] * bytes, y_skip = b.y_begin[axis] * bytes, run = b.extent[axis] * bytes;
  const std::int64_t x_row = b.x_shape[axis] * bytes, y_row = b.y_shape[axis] * bytes;
  for (int a = 0; a < axis; ++a) rows *= b.extent[a];
  const char* from = static_cast<const char*>(x.bytes_begin());
  char* to = static_cast<char*>(y.bytes_begin());
  const std::int64_t line = axis > 0 ? b.extent[axis - 1] : 1;  // runs at equal distances
  // bytes of a run
  const auto copy_rows = [&](std::int64_t begin, std::int64_t end, std::int64_t first, std::int64_t count) {
    for (std::int64_t r = begin, runs; r < end; r += runs) {
      runs = std::min(end - r, line - r % line);
      std::int64_t position[5], i = 0, j = 0, rest = r;
      for (int a = axis - 1; a >= 0; --a) position[a] = rest % b.extent[a], rest /= b.extent[a];
      for (int a = 0; a < axis; ++a)
        i = i * b.x_shape[a] + b.x_begin[a] + position[a], j = j * b.y_shape[a] + b.y_begin[a] + position[a];
      copy_runs(runs, count, from + i * x_row + x_skip + first, x_row, to + j * y_row + y_skip + first, y_row);
    }
  };
  if (rows >= engine::threads())
    return engine::parallel_ranges(rows, 1 + 16384 / (run + 1),
                                   [&](std::int64_t begin, std::int64_t end) { copy_rows(begin, end, 0, run); });
  for (std::int64_t r = 0; r < rows; ++r)  // few long runs, such as planes of one volume
    engine::parallel_ranges(run, 1 << 18,
                            [&](std::int64_t begin, std::int64_t end) { copy_rows(r, r + 1, begin, end - begin); });
}

void CpuBackend::patches(const Extents& grid, bool inverse, const Tensor& x, Tensor& y) {
  const engine::Shape& whole = inverse ? y.shape() : x.shape();
  Extents patch;
  for (int a = 0; a < 3; ++a) patch[a] = whole[a + 1] / grid[a];
  const std::int64_t run = patch[2] * whole[4] * std::int64_t(engine::bytes_of(x.dtype())),
                     lines = whole[0] * whole[1] * whole[2];
  const char* from = static_cast<const char*>(x.bytes_begin());
  char* to = static_cast<char*>(y.bytes_begin());
  // a line of the image along its last axis
  engine::parallel_for(lines, 1 + 16384 / (run * grid[2] + 1), [&](std::int64_t line) {
    const std::int64_t h = line % whole[2], d = line / whole[2] % whole[1], n = line / whole[2] / whole[1];
    for (std::int64_t w = 0; w < grid[2]; ++w) {
      const std::int64_t cell = engine::join(n, {{d / patch[0], h / patch[1], w}}, grid);
      const std::int64_t cut = (cell * patch[0] + d % patch[0]) * patch[1] + h % patch[1], uncut = line * grid[2] + w;
      std::memcpy(to + (inverse ? uncut : cut) * run, from + (inverse ? cut : uncut) * run, std::size_t(run));
    }
  });
}

}  // namespace sagcl::ops::cpu
