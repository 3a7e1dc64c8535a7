#include <algorithm>
#include <cstring>
#include <vector>

#include "engine/parallel.h"
#include "ops/cpu/conv/direct.h"
#include "ops/cpu/conv/strip.h"
#include "ops/cpu/conv/work.h"
#include "ops/cpu/kernels.h"

namespace sagcl::ops::cpu {
namespace {

constexpr std::int64_t strip_floats = 40 * 1024;
constexpr std::int64_t longest_row = 512;
constexpr std::int64_t wanted_items = 16;       // pieces of work, whatever the number of threads
constexpr std::int64_t slice_floats = 1 << 20;  // limit on the memory of all partial sums
constexpr std::int64_t smallest_slice = 2048;   // voxels worth a slice of their own

/// How one weight gradient is cut into independent sums. Depends on the geometry and the vector length alone.
struct Plan {
  const ConvGeometry& g;
  const Kernels& k;
  Window window{};
  bool padded = false;
  bool gathered = false;               // the taps of a voxel are copied side by side (few channels per tap)
  std::int64_t K = 0, K_padded = 0;    // length of a row of dw, and of a row of the partial sums
  std::int64_t rows = 1, columns = 1;  // of y in one strip
  std::int64_t column_blocks = 1, row_blocks = 1, strips = 1;
  std::int64_t slices = 1, tap_groups = 1, channel_groups = 1, channels_per_group = 1;
  std::int64_t strip_scratch = 0, gathered_floats = 0, scratch = 0;  // floats of one thread
};

Plan make_plan(const ConvGeometry& g) {
  Plan p{.g = g, .k = g.C == 8 ? kernels_for(g.C) : kernels()};  // taps of 8 channels need no copy to fill such vectors
  const std::int64_t lanes = p.k.lanes;
  Extents first;
  for (int a = 0; a < 3; ++a) first[a] = -g.padding[a];
  p.window = {g.in, g.stride, first, g.kernel, g.C};
  p.padded = -first[2] > 0 || (g.out[2] - 1) * g.stride[2] + first[2] + g.kernel[2] > g.in[2];
  p.K = g.kernel.volume() * g.C;
  p.gathered = g.kernel[2] * g.C % lanes != 0;
  p.padded |= p.gathered;  // its copies read up to three floats beyond a row
  p.K_padded = p.gathered ? ceil_div(p.K, lanes) * lanes : p.K;
  p.columns = std::min(g.out[2], longest_row);
  const std::int64_t row_cost =
      Strip::scratch(p.window, true, 1, p.columns, g.kernel[0]) + p.columns * (g.O + (p.gathered ? p.K_padded : 0));
  p.rows = std::clamp<std::int64_t>(strip_floats / row_cost, 1, std::min<std::int64_t>(8, g.out[1]));
  p.column_blocks = ceil_div(g.out[2], p.columns);
  p.row_blocks = ceil_div(g.out[1], p.rows);
  p.strips = g.N * g.out[0] * p.row_blocks * p.column_blocks;
  const std::int64_t voxels = g.N * g.out.volume();
  p.slices = std::clamp<std::int64_t>(std::min({voxels / smallest_slice, slice_floats / (g.O * p.K_padded), p.strips}), 1,
                                      wanted_items);
  if (!p.gathered && p.slices < wanted_items) p.tap_groups = g.kernel[0] * g.kernel[1];
  const std::int64_t wanted_groups = ceil_div(wanted_items, p.slices * p.tap_groups);
  p.channel_groups = std::clamp<std::int64_t>(wanted_groups, 1, ceil_div(g.O, 16));
  p.channels_per_group = ceil_div(ceil_div(g.O, p.channel_groups), 16) * 16;
  p.channel_groups = ceil_div(g.O, p.channels_per_group);
  p.strip_scratch =
      whole_lines(Strip::scratch(p.window, p.padded, p.rows, p.columns, p.tap_groups > 1 ? 1 : g.kernel[0]) + 4);
  p.gathered_floats = whole_lines(p.gathered ? p.rows * p.columns * p.K_padded + 4 : 0);
  p.scratch = p.strip_scratch + p.gathered_floats + whole_lines(p.gathered ? g.kernel[2] * g.C + 4 : 0);
  return p;
}

/// All taps of every voxel of a strip, one voxel per row of K_padded floats. Copies in steps of four floats: what it
/// writes beyond a tap is overwritten by the next one, and beyond the last tap it lands in columns that nobody reads.
void gather_taps(const Plan& p, const Strip& strip, const Block& b, const float* zeros, std::vector<Run>& rows, float* to) {
  const std::int64_t length = p.g.kernel[2] * p.g.C, step = p.g.stride[2] * p.g.C, taps = p.g.kernel[0] * p.g.kernel[1];
  for (std::int64_t row = b.row0; row < b.row1; ++row) {
    rows.resize(std::size_t(taps));
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      rows[std::size_t(tap)].a = strip.row(row, tap / p.g.kernel[1], tap % p.g.kernel[1]);
      if (!rows[std::size_t(tap)].a) rows[std::size_t(tap)].a = zeros;
    }
    for (std::int64_t t = 0; t < b.column1 - b.column0; ++t, to += p.K_padded) {
      float* out = to;
      for (Run& r : rows) {
        for (std::int64_t i = 0; i < length; i += 4) std::memcpy(out + i, r.a + i, 4 * sizeof(float));
        if (r.a != zeros) r.a += step;
        out += length;
      }
    }
  }
}

/// Adds Σ dy ⊗ a over the given lines to the columns [at, at + length) of the partial sums.
void add_outer(const Plan& p, std::vector<OuterLine>& lines, std::int64_t a_stride, std::int64_t length,
               std::int64_t channels, float* sums) {
  const std::int64_t lanes = p.k.lanes;
  OuterSum o{.lines = lines.data(),
             .line_count = std::int64_t(lines.size()),
             .a_stride = a_stride,
             .g_stride = p.g.O,
             .rows = channels,
             .vectors = 0,
             .d = {},
             .d_stride = p.K_padded};
  for (std::int64_t at = 0; at < length; at += o.vectors * lanes) {
    o.vectors = int(std::min<std::int64_t>(3, (length - at) / lanes));
    if (length - at == 4 * lanes) o.vectors = 2;  // 2 + 2 rather than 3 + 1
    for (int j = 0; j < o.vectors; ++j) o.d[j] = sums + at + j * lanes;
    p.k.outer_sum(o);
    for (OuterLine& line : lines)
      for (int j = 0; j < 3; ++j) line.a[j] += o.vectors * lanes;
  }
}

/// The sums of one slice over its strips, for a group of taps and a group of output channels.
void sum_slice(const Plan& p, std::int64_t slice, std::int64_t tap_group, std::int64_t channel0, const float* x,
               const float* dy, float* sums, float* scratch, std::vector<OuterLine>& lines) {
  const ConvGeometry& g = p.g;
  const std::int64_t lanes = p.k.lanes, length = g.kernel[2] * g.C;
  const std::int64_t channels = std::min(p.channels_per_group, g.O - channel0);
  const std::int64_t tap0 = p.tap_groups > 1 ? tap_group : 0,
                     tap1 = p.tap_groups > 1 ? tap_group + 1 : g.kernel[0] * g.kernel[1];
  for (std::int64_t o = channel0; o < channel0 + channels; ++o) {
    const std::int64_t from = p.gathered ? 0 : tap0 * length, to = p.gathered ? p.K_padded : tap1 * length;
    std::memset(sums + o * p.K_padded + from, 0, std::size_t(to - from) * sizeof(float));
  }
  std::vector<Run> rows;
  if (p.gathered) std::fill_n(scratch + p.strip_scratch + p.gathered_floats, length + 4, 0.0f);
  Strip strip(p.window, p.padded, x, scratch);
  for (std::int64_t s = p.strips * slice / p.slices; s < p.strips * (slice + 1) / p.slices; ++s) {
    const std::int64_t row = s / p.column_blocks % p.row_blocks * p.rows, plane = s / p.column_blocks / p.row_blocks;
    const std::int64_t column = s % p.column_blocks * p.columns;
    const Block b{plane / g.out[0],
                  plane % g.out[0],
                  row,
                  std::min(row + p.rows, g.out[1]),
                  column,
                  std::min(column + p.columns, g.out[2]),
                  tap0 / g.kernel[1],
                  (tap1 - 1) / g.kernel[1] + 1};
    strip.fill(b);
    const auto gradient = [&](std::int64_t r) {
      return dy + engine::join(b.image, Extents{{b.plane, r, b.column0}}, g.out) * g.O + channel0;
    };
    const auto line = [&](const float* a, std::int64_t r) {
      const float* const dy_row = gradient(r);
      lines.push_back({{a, a + lanes, a + 2 * lanes}, dy_row, dy_row + p.rows * g.out[2] * g.O, b.column1 - b.column0});
    };
    if (p.gathered) {
      float* taps = scratch + p.strip_scratch;
      gather_taps(p, strip, b, taps + p.gathered_floats, rows, taps);
      lines.clear();
      for (std::int64_t r = b.row0; r < b.row1; ++r) line(taps + (r - b.row0) * (b.column1 - b.column0) * p.K_padded, r);
      add_outer(p, lines, p.K_padded, p.K_padded, channels, sums + channel0 * p.K_padded);
      continue;
    }
    for (std::int64_t tap = tap0; tap < tap1; ++tap) {
      lines.clear();
      for (std::int64_t r = b.row0; r < b.row1; ++r)
        if (const float* a = strip.row(r, tap / g.kernel[1], tap % g.kernel[1])) line(a, r);
      if (!lines.empty())
        add_outer(p, lines, g.stride[2] * g.C, length, channels, sums + channel0 * p.K_padded + tap * length);
    }
  }
}

}  // namespace

void direct_backward_weight(const ConvGeometry& g, const float* x, const float* dy, float* dw) {
  const Plan p = make_plan(g);
  const std::int64_t sum_floats = whole_lines(g.O * p.K_padded);
  const bool in_place = p.slices == 1 && p.K_padded == p.K;
  Tensor memory = scratch_memory((in_place ? 0 : p.slices * sum_floats) + engine::threads() * p.scratch);
  float* const sums = in_place ? dw : memory.data<float>();
  float* const scratch = memory.data<float>() + (in_place ? 0 : p.slices * sum_floats);
  const std::int64_t items = p.slices * p.tap_groups * p.channel_groups;
  share_work(items, multiplications(g) / double(items), [&](std::int64_t i, std::int64_t worker) {
    const std::int64_t slice = i / (p.tap_groups * p.channel_groups);
    std::vector<OuterLine> lines;
    sum_slice(p, slice, i % p.tap_groups, i / p.tap_groups % p.channel_groups * p.channels_per_group, x, dy,
              sums + slice * sum_floats, scratch + worker * p.scratch, lines);
  });
  if (in_place) return;
  engine::parallel_for(g.O, std::max<std::int64_t>(1, 16384 / (p.K * p.slices)), [&](std::int64_t o) {
    for (std::int64_t j = 0; j < p.K; ++j) {
      float sum = sums[o * p.K_padded + j];
      for (std::int64_t s = 1; s < p.slices; ++s) sum += sums[s * sum_floats + o * p.K_padded + j];
      dw[o * p.K + j] = sum;
    }
  });
}

}  // namespace sagcl::ops::cpu
