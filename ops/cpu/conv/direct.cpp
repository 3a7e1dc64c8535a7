#include "ops/cpu/conv/direct.h"

#include <algorithm>

#include "engine/parallel.h"
#include "ops/cpu/conv/pack.h"
#include "ops/cpu/conv/strip.h"
#include "ops/cpu/conv/work.h"
#include "ops/cpu/kernels.h"

namespace sagcl::ops::cpu {
namespace {

constexpr std::int64_t strip_floats = 48 * 1024;  // source rows kept in the second-level cache while they are reused
constexpr std::int64_t panel_floats = 48 * 1024;  // weights that pass by between two uses of a result tile
constexpr std::int64_t longest_row = 14 * 64;     // voxels of a row handled at once
constexpr std::int64_t wanted_items = 64;         // pieces of work, whatever the number of threads

/// How one pass is cut up. Depends on the geometry and the vector length alone.
struct Gather {
  Lattice l;
  const Kernels& k;
  bool dots = false;                   // few result channels: the weights are read as they are
  Extents most{{0, 0, 0}};             // results of the largest phase
  std::int64_t rows = 1, columns = 1;  // of results per item
  std::int64_t row_blocks = 1, column_blocks = 1;
  std::int64_t channel_group = 0, channel_groups = 1;  // result channels per item
  std::int64_t panel_size = 0, scratch = 0;            // floats
  const float *source = nullptr, *panel = nullptr, *bias = nullptr;
  float* result = nullptr;
  Window window(const Phase& p) const { return {l.source, l.source_step, p.source_first, p.taps, l.source_channels}; }
};

Gather make_plan(const ConvGeometry& g, const Lattice& lattice) {
  const bool dots = lattice.forward && lattice.result_channels <= 4 && g.kernel[2] * g.C % kernels().lanes == 0;
  Gather t{.l = lattice, .k = dots ? kernels() : kernels_for(lattice.result_channels), .dots = dots};
  const std::int64_t lanes = t.k.lanes;
  for (Phase& p : t.l.phases) {
    p.panel = t.panel_size;
    if (!t.dots) t.panel_size += panel_size(t.k, lattice, p);
    for (int a = 0; a < 3; ++a) t.most[a] = std::max(t.most[a], p.count[a]);
  }
  t.columns = std::clamp<std::int64_t>(t.most[2], 1, longest_row);
  std::int64_t row_floats = 1;
  for (const Phase& p : t.l.phases)
    row_floats = std::max(row_floats, Strip::scratch(t.window(p), true, 1, t.columns, p.taps[0]));
  t.rows = std::clamp<std::int64_t>(strip_floats / row_floats, 1, std::clamp<std::int64_t>(t.most[1], 1, 8));
  t.column_blocks = ceil_div(t.most[2], t.columns);
  t.row_blocks = ceil_div(t.most[1], t.rows);
  for (const Phase& p : t.l.phases) {
    const bool padded = p.padded(lattice.source, lattice.source_step);
    t.scratch = std::max(t.scratch, whole_lines(Strip::scratch(t.window(p), padded, t.rows, t.columns, p.taps[0])));
  }
  const std::int64_t places = std::max<std::int64_t>(1, lattice.N * t.most[0] * t.row_blocks * t.column_blocks);
  const std::int64_t pairs = std::max<std::int64_t>(1, ceil_div(lattice.result_channels, 2 * lanes));
  t.channel_group = ceil_div(pairs, std::clamp<std::int64_t>(ceil_div(wanted_items, places), 1, pairs)) * 2 * lanes;
  t.channel_groups = ceil_div(lattice.result_channels, t.channel_group);
  return t;
}

/// One block of results of one phase.
void compute(const Gather& t, const Phase& p, const Block& whole, std::int64_t channel0, float* scratch) {
  Block b = whole;
  b.row1 = std::min(b.row1, p.count[1]), b.column1 = std::min(b.column1, p.count[2]);
  if (b.plane >= p.count[0] || b.row0 >= b.row1 || b.column0 >= b.column1) return;
  const std::int64_t lanes = t.k.lanes, taps = p.taps[0] * p.taps[1], length = p.taps[2] * t.l.source_channels;
  const std::int64_t block_stride = panel_depth(t.l, p) * lanes;
  Strip strip(t.window(p), p.padded(t.l.source, t.l.source_step) && length > 0, t.source, scratch);
  if (taps > 0) strip.fill(b);

  const std::int64_t channel1 = std::min(channel0 + t.channel_group, t.l.result_channels);
  const std::int64_t chunk = std::clamp<std::int64_t>(panel_floats / std::max<std::int64_t>(1, 2 * lanes * length), 1, 64);
  Run runs[64];
  GemmRows m{};
  m.rows = b.column1 - b.column0, m.run_length = length, m.runs = runs, m.block_stride = block_stride;
  if (t.dots) m.block_stride = panel_depth(t.l, p);
  m.a_stride = t.l.source_step[2] * t.l.source_channels, m.c_stride = t.l.step[2] * t.l.result_channels;
  // Read ahead where the rows are used in place: the same voxels of the next row of results, or further on in a long row.
  const std::int64_t row_ahead = t.l.source_step[1] * t.l.source[2] * t.l.source_channels;
  const std::int64_t wanted = p.count[1] > 1 ? row_ahead : 64 * m.a_stride;
  for (std::int64_t channel = channel0; channel < channel1; channel += 2 * lanes) {
    const std::int64_t ahead = strip.copied() || channel > channel0 ? 0 : wanted;
    m.columns = std::min<std::int64_t>(2 * lanes, channel1 - channel);
    m.bias = t.bias ? t.bias + channel : nullptr;
    const float* panel = t.panel + p.panel + channel / lanes * block_stride;
    for (std::int64_t first = 0; first == 0 || first < taps; first += chunk) {
      m.accumulate = first > 0;
      for (std::int64_t row = b.row0; row < b.row1; ++row) {
        m.run_count = 0;
        for (std::int64_t tap = first; tap < std::min(first + chunk, taps); ++tap)
          if (const float* a = strip.row(row, tap / p.taps[1], tap % p.taps[1]))
            runs[m.run_count++] = {a, panel + tap * length * (t.dots ? 1 : lanes), a + ahead};
        if (m.run_count == 0 && m.accumulate) continue;
        const Extents at{
            {p.start[0] + b.plane * t.l.step[0], p.start[1] + row * t.l.step[1], p.start[2] + b.column0 * t.l.step[2]}};
        m.c = t.result + engine::join(b.image, at, t.l.result) * t.l.result_channels + channel;
        (t.dots ? t.k.dot_rows : t.k.gemm_rows)(m);
      }
    }
  }
}

}  // namespace

void direct_gather(const ConvGeometry& g, const Lattice& lattice, const float* source, const float* weights,
                   const float* bias, float* result) {
  Gather t = make_plan(g, lattice);
  t.source = source, t.result = result;
  const std::int64_t bias_floats = bias ? whole_lines(lattice.result_channels) + 16 : 0;  // whole vectors, in pairs
  Tensor memory = scratch_memory(whole_lines(t.panel_size) + bias_floats + engine::threads() * t.scratch);
  float *const panel = memory.data<float>(), *const padded_bias = panel + whole_lines(t.panel_size);
  float* const scratch = padded_bias + bias_floats;
  if (!t.dots)
    for (const Phase& p : t.l.phases) pack_weights(t.k, g, lattice, p, weights, panel + p.panel);
  t.panel = t.dots ? weights : panel;
  if (bias) {
    std::fill_n(std::copy_n(bias, lattice.result_channels, padded_bias), bias_floats - lattice.result_channels, 0.0f);
    t.bias = padded_bias;
  }
  const std::int64_t items = lattice.N * t.most[0] * t.row_blocks * t.column_blocks * t.channel_groups;
  share_work(items, multiplications(g) / double(items + 1), [&](std::int64_t i, std::int64_t worker) {
    const std::int64_t channel = i % t.channel_groups * t.channel_group, place = i / t.channel_groups;
    const std::int64_t column = place % t.column_blocks * t.columns, line = place / t.column_blocks;
    const std::int64_t row = line % t.row_blocks * t.rows, plane = line / t.row_blocks;
    for (const Phase& p : t.l.phases) {
      const Block block{plane / t.most[0], plane % t.most[0], row, row + t.rows, column, column + t.columns, 0, p.taps[0]};
      compute(t, p, block, channel, scratch + worker * t.scratch);
    }
  });
}

}  // namespace sagcl::ops::cpu
