#include "ops/cpu/conv/winograd.h"

#include <algorithm>

#include "engine/parallel.h"
#include "ops/cpu/conv/pack.h"
#include "ops/cpu/conv/winograd_plan.h"

namespace sagcl::ops::cpu {

using engine::Tensor;

namespace {

constexpr std::int64_t many_filters = 2 << 20;     // too many to keep transformed
constexpr std::int64_t few_tiles = 16;             // of a plane: alone they leave the products' register tiles half empty
constexpr std::int64_t cache_floats = 160 * 1024;  // transforms of one thread: most of a second-level cache

/// Estimated multiply-adds of F(m x m, 3 x 3), the transforms counted by what they cost beside the products.
double winograd_cost(int m, const Extents& size, std::int64_t images, std::int64_t depth, std::int64_t in, std::int64_t out,
                     double per_weight) {
  const double components = (m + 2) * (m + 2), scale = components / 36;
  const double weights = components * double(depth * in * out);
  const double tiles = double(images) * double(size[0] * ceil_div(size[1], m) * ceil_div(size[2], m));
  return tiles * (components * double(depth * in * out) + scale * (250.0 * double(in) + 200.0 * double(out))) +
         per_weight * weights;
}

int best_tile(const Extents& size, std::int64_t images, std::int64_t depth, std::int64_t in, std::int64_t out,
              double per_weight) {
  const double direct = double(images) * double(size.volume()) * 9.0 * double(depth * in * out);
  const double two = winograd_cost(2, size, images, depth, in, out, per_weight);
  const double four = winograd_cost(4, size, images, depth, in, out, per_weight);
  if (direct <= two && direct <= four) return 0;
  return two < four ? 2 : 4;
}

/// Everything one column of work needs to know.
struct Pass {
  const WinogradPlan& p;
  const Lattice& l;
  const float *source, *filters, *bias;
  float* result;
  std::int64_t filter_stride;  // between components
};

void compute(const Pass& t, const WinogradColumn& c, float* scratch) {
  const WinogradPlan& p = t.p;
  const Kernels& k = *p.kernels;
  const std::int64_t C = t.l.source_channels, O = t.l.result_channels, lanes = k.lanes;
  const Phase& phase = t.l.phases.front();
  const std::int64_t slot_floats = p.components * p.component_in, tiles = c.rows * p.tile_columns;
  float* const products = scratch + p.slots * slot_floats;
  WinogradTiles in{};
  in.height = t.l.source[1], in.width = t.l.source[2], in.pixel_stride = in.channels = C, in.tiles = p.tile_columns,
  in.component_stride = p.component_in;
  in.column = phase.source_first[2];
  WinogradTiles out{};
  out.height = t.l.result[1], out.width = t.l.result[2], out.pixel_stride = out.channels = O, out.tiles = p.tile_columns,
  out.component_stride = p.component_out;
  out.bias = t.bias;
  Run runs[8];
  GemmRows m{};
  m.rows = tiles, m.columns = O, m.run_length = C, m.a_stride = C, m.c_stride = O, m.block_stride = p.depth * C * lanes,
  m.runs = runs;

  const std::int64_t part = std::min<std::int64_t>(c.rows * p.m + 2, in.height) * in.width * C / p.components;

  std::int64_t ready = c.plane0 + p.first;  // source planes below are transformed
  for (std::int64_t plane = c.plane0; plane < c.plane1; plane += p.step) {
    const std::int64_t end = std::min(plane + p.step, c.plane1);
    for (; ready < end + p.first + p.depth - 1; ++ready) {
      if (ready < 0 || ready >= p.source_planes) continue;
      in.image = t.source + (c.image * p.source_planes + ready) * in.height * in.width * C;
      for (std::int64_t r = 0; r < c.rows; ++r) {
        in.row = (c.row0 + r) * p.m + phase.source_first[1];
        in.transformed = scratch + (ready - p.first) % p.slots * slot_floats + r * p.tile_columns * C;
        p.transforms->input(in);
      }
    }
    for (std::int64_t component = 0; component < p.components; ++component)
      for (std::int64_t q = plane; q < end; ++q) {
        m.run_count = 0;
        for (std::int64_t tap = 0; tap < p.depth; ++tap) {
          const std::int64_t s = q + p.first + tap;
          if (s < 0 || s >= p.source_planes) continue;
          const float* a = scratch + (s - p.first) % p.slots * slot_floats + component * p.component_in;
          // The rows of the next plane to be transformed are fetched meanwhile, a part with every component.
          const float* next =
              t.source + (((c.image * p.source_planes + std::min(ready + q - plane, p.source_planes - 1)) * in.height +
                           std::max<std::int64_t>(0, c.row0 * p.m + phase.source_first[1])) *
                          in.width) *
                             C;
          runs[m.run_count] = {a, t.filters + component * t.filter_stride + tap * C * lanes,
                               m.run_count ? a : next + component * part};
          ++m.run_count;
        }
        m.c = products + ((q - plane) * p.components + component) * p.component_out;
        k.gemm_rows(m);
      }
    for (std::int64_t q = plane; q < end; ++q) {
      out.result = t.result + (c.image * p.planes + q) * out.height * out.width * O;
      for (std::int64_t r = 0; r < c.rows; ++r) {
        out.row = (c.row0 + r) * p.m;
        out.transformed = products + (q - plane) * p.components * p.component_out + r * p.tile_columns * O;
        p.transforms->output(out);
      }
    }
  }
}

}  // namespace

bool winograd_applies(const ConvGeometry& g) {
  return g.kernel[1] == 3 && g.kernel[2] == 3 && g.stride == Extents{} && g.kernel[0] <= 8 && g.C % 8 == 0 && g.O % 8 == 0;
}

int winograd_tile(const ConvGeometry& g, const Lattice& l) {
  if (!winograd_applies(g)) return 0;
  Extents size = l.result;
  if (g.whole_depth > 0) size[0] = g.whole_depth;
  return best_tile(size, l.N, g.kernel[0], l.source_channels, l.result_channels, 14);
}

int winograd_weight_tile(const ConvGeometry& g) {
  if (!winograd_applies(g)) return 0;
  return best_tile(g.out, g.N, g.kernel[0], g.C, g.O, 40);  // its sums are cleared, added to, and read again
}

void winograd_gather(const ConvGeometry& g, const Lattice& lattice, int m, const float* source, const float* weights,
                     const float* bias, float* result) {
  const Phase& phase = lattice.phases.front();
  const std::int64_t C = lattice.source_channels, O = lattice.result_channels, depth = g.kernel[0];
  const Kernels& k = winograd_kernels(C, O);
  const std::int64_t lanes = k.lanes;
  if ((m + 2) * (m + 2) * depth * C * O >= many_filters ||
      ceil_div(lattice.result[1], m) * ceil_div(lattice.result[2], m) <= few_tiles)
    return winograd_gather_wide(g, lattice, m, source, weights, bias, result);
  const WinogradPlan p = winograd_plan(k, m, depth, phase.source_first[0], lattice.N, lattice.result[0], lattice.source[0],
                                       lattice.result[1], lattice.result[2], C, O, cache_floats);
  const std::int64_t filter_stride = depth * C * O;
  Tensor filters = scratch_memory(p.components * filter_stride);
  {
    Tensor panel = scratch_memory(panel_size(k, lattice, phase));
    pack_weights(k, g, lattice, phase, weights, panel.data<float>());
    engine::parallel_for(O / lanes * depth, std::max<std::int64_t>(1, 256 / C), [&](std::int64_t i) {
      p.transforms->weights({panel.data<float>() + i * 9 * C * lanes, filters.data<float>() + i * C * lanes, C, C * lanes,
                             filter_stride, 1, 0, 0, m + 2});
    });
  }
  Tensor scratch = scratch_memory(engine::threads() * p.scratch());
  const Pass pass{p, lattice, source, filters.data<float>(), bias, result, filter_stride};
  share_work(p.columns(), multiplications(g) / double(p.columns()), [&](std::int64_t i, std::int64_t worker) {
    compute(pass, winograd_column(p, i), scratch.data<float>() + worker * p.scratch());
  });
}

}  // namespace sagcl::ops::cpu
