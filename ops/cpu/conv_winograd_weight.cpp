#include <algorithm>
#include <atomic>
#include <cstring>
#include <vector>
#include <cstdlib>

#include "engine/parallel.h"
#include "ops/cpu/conv_winograd.h"
#include "ops/cpu/conv_winograd_plan.h"

namespace sagcl::ops::cpu {
namespace {

std::int64_t cache_floats() { static const std::int64_t n = std::getenv("WWCACHE") ? atoll(std::getenv("WWCACHE")) * 256 : 160 * 1024; return n; }
constexpr std::int64_t sum_floats = 2 << 20;     // limit on the memory of all partial sums
constexpr std::int64_t most_slices = 16, wanted_items = 8;

struct Pass {
  const WinogradPlan& p;
  const ConvGeometry& g;
  const float *x, *dy;
  std::int64_t slices, group;   // independent sums over columns of work; output channels per item
  float* sums;                  // [slice][component][O][depth][C]
};

/// Adds one column of work to the sums of its slice, for the output channels [channel, channel + t.group).
void add_column(const Pass& t, const WinogradColumn& c, std::int64_t channel, float* sums, float* scratch, std::vector<OuterLine>& lines) {
  const WinogradPlan& p = t.p;
  const ConvGeometry& g = t.g;
  const Kernels& k = kernels();
  const std::int64_t lanes = k.lanes, slot_floats = p.components * p.component_in, tiles = c.rows * p.tile_columns;
  const std::int64_t out_floats = p.components * p.component_out, row_floats = p.depth * g.C;
  float* const gradients = scratch + p.slots * slot_floats;
  WinogradTiles in{}, out{};
  in.height = g.in[1], in.width = g.in[2], in.pixel_stride = in.channels = g.C, in.column = -g.padding[2], in.tiles = p.tile_columns, in.component_stride = p.component_in;
  out.height = g.out[1], out.width = g.out[2], out.pixel_stride = g.O, out.channels = t.group, out.tiles = p.tile_columns, out.component_stride = p.component_out;
  const std::int64_t per_depth = g.C / lanes, vectors = p.depth * per_depth;

  const std::int64_t part = c.rows * p.m * g.out[2] * std::max(g.C, t.group) / p.components;

  std::int64_t ready = c.plane0 + p.first;
  for (std::int64_t plane = c.plane0; plane < c.plane1; plane += p.step) {
    const std::int64_t end = std::min(plane + p.step, c.plane1);
    for (; ready < end + p.first + p.depth - 1; ++ready) {
      float* slot = scratch + (ready + p.depth) % p.slots * slot_floats;
      if (ready < 0 || ready >= p.source_planes) {
        std::memset(slot, 0, std::size_t(slot_floats) * sizeof(float));
        continue;
      }
      in.image = t.x + (c.image * p.source_planes + ready) * in.height * in.width * g.C;
      for (std::int64_t r = 0; r < c.rows; ++r) {
        in.row = (c.row0 + r) * p.m - g.padding[1];
        in.transformed = slot + r * p.tile_columns * g.C;
        p.transforms->input(in);
      }
    }
    for (std::int64_t q = plane; q < end; ++q)
      for (std::int64_t r = 0; r < c.rows; ++r) {
        out.image = t.dy + (c.image * p.planes + q) * out.height * out.width * g.O + channel;
        out.row = (c.row0 + r) * p.m;
        out.transformed = gradients + (q - plane) * out_floats + r * p.tile_columns * t.group;
        p.transforms->gradient(out);
      }
    // What the next step will transform is fetched meanwhile, a part with every component.
    const std::int64_t next_plane = std::min(ready, p.source_planes - 1), next_row = c.row0 * p.m;
    const float* const next_x = t.x + ((c.image * p.source_planes + next_plane) * g.in[1] + next_row) * g.in[2] * g.C;
    const float* const next_dy = t.dy + ((c.image * p.planes + std::min(end, p.planes - 1)) * g.out[1] + next_row) * g.out[2] * g.O + channel;
    for (std::int64_t component = 0; component < p.components; ++component)
      for (std::int64_t v = 0; v < vectors;) {
        OuterSum o{.lines = lines.data(), .line_count = end - plane, .a_stride = g.C, .g_stride = t.group, .rows = t.group,
                   .vectors = int(vectors - v == 4 ? 2 : std::min<std::int64_t>(3, vectors - v)), .d = {}, .d_stride = row_floats};
        float* d = sums + (component * g.O + channel) * row_floats;
        for (int j = 0; j < o.vectors; ++j) {
          const std::int64_t tap = (v + j) / per_depth, at = (v + j) % per_depth * lanes;
          o.d[j] = d + (v + j) * lanes;
          for (std::int64_t q = plane; q < end; ++q)
            lines[std::size_t(q - plane)].a[j] = scratch + (q + p.first + tap + p.depth) % p.slots * slot_floats + component * p.component_in + at;
        }
        for (std::int64_t q = plane; q < end; ++q) {
          OuterLine& line = lines[std::size_t(q - plane)];
          line.next = (v == 0 ? next_x : next_dy) + component * part;
          line.g = gradients + (q - plane) * out_floats + component * p.component_out;
          line.count = tiles;
        }
        k.outer_sum(o);
        v += o.vectors;
      }
  }
}

}  // namespace

void winograd_backward_weight(const ConvGeometry& g, int m, const float* x, const float* dy, float* dw) {
  const std::int64_t component = g.O * g.kernel[0] * g.C, slice_floats = (m + 2) * (m + 2) * component;
  const std::int64_t slices = std::clamp<std::int64_t>(sum_floats / slice_floats, 1, most_slices);
  const std::int64_t groups = std::clamp<std::int64_t>(wanted_items / slices, 1, g.O / 16), group = ceil_div(g.O / 16, groups) * 16;
  const WinogradPlan p = winograd_plan(m, g.kernel[0], -g.padding[0], g.N, g.out[0], g.in[0], g.out[1], g.out[2], g.C, group, cache_floats());
  Pass t{p, g, x, dy, std::min(slices, p.columns()), group, nullptr};
  const std::int64_t group_count = ceil_div(g.O, t.group);
  Tensor memory = Tensor::empty({t.slices * slice_floats + engine::threads() * p.scratch()});
  t.sums = memory.data<float>();
  std::atomic<int> next{0};
  engine::parallel_ranges(t.slices * group_count, 1, [&](std::int64_t begin, std::int64_t end) {
    float* own = memory.data<float>() + t.slices * slice_floats + next++ * p.scratch();
    std::vector<OuterLine> lines(std::size_t(p.step));
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t slice = i / group_count, channel = i % group_count * t.group;
      float* sums = t.sums + slice * slice_floats;
      Pass own_pass = t;
      own_pass.group = std::min(t.group, g.O - channel);
      for (std::int64_t j = 0; j < p.components; ++j)
        std::memset(sums + j * component + channel * p.depth * g.C, 0, std::size_t(own_pass.group * p.depth * g.C) * sizeof(float));
      for (std::int64_t c = p.columns() * slice / t.slices; c < p.columns() * (slice + 1) / t.slices; ++c)
        add_column(own_pass, winograd_column(p, c), channel, sums, own, lines);
    }
  });
  engine::parallel_for(g.O * p.depth, std::max<std::int64_t>(1, 256 / g.C), [&](std::int64_t i) {
    p.transforms->weight_gradient({t.sums + i * g.C, dw + i * 9 * g.C, g.C / kernels().lanes, g.C, component, t.slices, slice_floats});
  });
}

}  // namespace sagcl::ops::cpu
