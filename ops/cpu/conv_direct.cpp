#include "ops/cpu/conv_direct.h"

#include <algorithm>

#include "engine/parallel.h"
#include "ops/cpu/conv_pack.h"
#include "ops/cpu/conv_strip.h"
#include "ops/cpu/conv_work.h"
#include "ops/cpu/kernels.h"

namespace sagcl::ops::cpu {
namespace {

constexpr std::int64_t strip_floats = 48 * 1024;   // source rows kept in the second-level cache while they are reused
constexpr std::int64_t panel_floats = 48 * 1024;   // weights that pass by between two uses of a result tile
constexpr std::int64_t longest_row = 14 * 64;      // voxels of a row handled at once
constexpr std::int64_t wanted_items = 64;          // pieces of work, whatever the number of threads

/// Source rows of one phase as the kernels see them.
struct Gather {
  const Lattice& l;
  const Kernels& k = kernels();
  std::int64_t blocks = 0;               // vectors of result channels
  std::int64_t rows = 1, columns = 1;    // of results per item
  std::int64_t channel_group = 0;        // result channels per item
  bool dots = false;                     // few result channels: the weights are read as they are
  const float *source = nullptr, *panel = nullptr, *bias = nullptr;
  float* result = nullptr;
};

/// One block of results of one phase.
void compute(const Gather& t, const Phase& p, const Block& whole, std::int64_t channel0, float* scratch) {
  Block b = whole;
  b.row1 = std::min(b.row1, p.count[1]), b.column1 = std::min(b.column1, p.count[2]);
  if (b.plane >= p.count[0] || b.row0 >= b.row1 || b.column0 >= b.column1) return;
  const Window window{t.l.source, t.l.source_step, p.source_first, p.taps, t.l.source_channels};
  const std::int64_t lanes = t.k.lanes, taps = p.taps[0] * p.taps[1], length = p.taps[2] * t.l.source_channels;
  const std::int64_t block_stride = panel_depth(t.l, p) * lanes;
  Strip strip(window, p.padded(t.l.source, t.l.source_step) && length > 0, t.source, scratch);
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
        const Extents at{{p.start[0] + b.plane * t.l.step[0], p.start[1] + row * t.l.step[1], p.start[2] + b.column0 * t.l.step[2]}};
        m.c = t.result + engine::join(b.image, at, t.l.result) * t.l.result_channels + channel;
        (t.dots ? t.k.dot_rows : t.k.gemm_rows)(m);
      }
    }
  }
}

}  // namespace

void direct_gather(const ConvGeometry& g, const Lattice& lattice, const float* source, const float* weights, const float* bias,
                   float* result) {
  Gather t{.l = lattice};
  t.source = source, t.result = result;
  const std::int64_t lanes = t.k.lanes;
  t.blocks = ceil_div(lattice.result_channels, lanes);

  t.dots = lattice.forward && lattice.result_channels <= 4 && g.kernel[2] * g.C % lanes == 0;

  Lattice packed = lattice;
  std::int64_t floats = 0, scratch = 0;
  Extents most{{0, 0, 0}};
  for (Phase& p : packed.phases) {
    p.panel = floats;
    if (!t.dots) floats += panel_size(lattice, p);
    for (int a = 0; a < 3; ++a) most[a] = std::max(most[a], p.count[a]);
  }
  if (most.volume() == 0 || lattice.N == 0 || lattice.result_channels == 0) return;
  t.columns = std::min(most[2], longest_row);
  std::int64_t row_cost = 1;
  for (const Phase& p : packed.phases) {
    const Window w{lattice.source, lattice.source_step, p.source_first, p.taps, lattice.source_channels};
    row_cost = std::max(row_cost, Strip::scratch(w, true, 1, t.columns, p.taps[0]));
  }
  const std::int64_t column_blocks = ceil_div(most[2], t.columns);
  const std::int64_t planes = lattice.N * most[0] * column_blocks;
  t.rows = std::clamp<std::int64_t>(strip_floats / row_cost, 1, std::min<std::int64_t>(8, most[1]));
  const std::int64_t row_blocks = ceil_div(most[1], t.rows), places = planes * row_blocks;
  const std::int64_t groups = std::clamp<std::int64_t>(ceil_div(wanted_items, places), 1, ceil_div(t.blocks, 2));
  t.channel_group = ceil_div(ceil_div(t.blocks, 2), groups) * 2 * lanes;
  const std::int64_t channel_groups = ceil_div(lattice.result_channels, t.channel_group);
  for (const Phase& p : packed.phases) {
    const Window w{lattice.source, lattice.source_step, p.source_first, p.taps, lattice.source_channels};
    scratch = std::max(scratch, Strip::scratch(w, p.padded(lattice.source, lattice.source_step), t.rows, t.columns, p.taps[0]));
  }
  scratch = whole_lines(scratch);

  const std::int64_t bias_floats = bias ? ceil_div(t.blocks, 2) * 2 * lanes : 0;
  Tensor memory = scratch_memory(floats + bias_floats + engine::threads() * scratch);
  float* panel = memory.data<float>();
  if (!t.dots)
    for (const Phase& p : packed.phases) pack_weights(g, lattice, p, weights, panel + p.panel);
  t.panel = t.dots ? weights : panel;
  if (bias) {
    float* padded = panel + floats;
    std::fill_n(std::copy_n(bias, lattice.result_channels, padded), bias_floats - lattice.result_channels, 0.0f);
    t.bias = padded;
  }
  const std::int64_t items = places * channel_groups;
  share_work(items, multiplications(g) / double(items), [&](std::int64_t i, std::int64_t worker) {
    const std::int64_t group = i % channel_groups, place = i / channel_groups;
    const std::int64_t column = place % column_blocks, row = place / column_blocks % row_blocks, plane = place / column_blocks / row_blocks;
    for (const Phase& p : packed.phases)
      compute(t, p, Block{plane / most[0], plane % most[0], row * t.rows, (row + 1) * t.rows, column * t.columns,
                          (column + 1) * t.columns, 0, p.taps[0]},
              group * t.channel_group, panel + floats + bias_floats + worker * scratch);
  });
}

}  // namespace sagcl::ops::cpu
