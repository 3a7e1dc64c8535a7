#include <algorithm>
#include <cstring>

#include "ops/cpu/conv/pack.h"
#include "ops/cpu/conv/winograd.h"
#include "ops/cpu/conv/winograd_plan.h"

namespace sagcl::ops::cpu {

using engine::Tensor;

namespace {

constexpr std::int64_t source_floats = 1 << 20;     // transforms of x kept at once: 4 MiB
constexpr std::int64_t product_floats = 96 * 1024;  // products of one piece of work
constexpr std::int64_t wanted_items = 8;

/// Some images and planes whose transforms of x are ready, [component][image][source plane][tile][C]: the tiles of
/// neighbouring planes follow each other, so that small maps still fill the register tiles of the matrix product.
struct Chunk {
  const WinogradPlan& p;
  const Lattice& l;
  const float *sources, *panel, *bias;
  float* result;
  std::int64_t component;  // stride
  std::int64_t image0, image1, plane0, plane1, row0, rows;
  std::int64_t tiles() const { return rows * p.tile_columns; }
  std::int64_t slots() const { return plane1 - plane0 + p.depth - 1; }
};

void transform_source(const Chunk& t, const float* source, std::int64_t image, std::int64_t slot, std::int64_t row,
                      float* to) {
  const WinogradPlan& p = t.p;
  const std::int64_t plane = t.plane0 + p.first + slot, C = t.l.source_channels;
  to += (((image - t.image0) * t.slots() + slot) * t.rows + row) * p.tile_columns * C;
  if (plane < 0 || plane >= p.source_planes) {
    for (std::int64_t k = 0; k < p.components; ++k)
      std::memset(to + k * t.component, 0, std::size_t(p.tile_columns * C) * sizeof(float));
    return;
  }
  WinogradTiles w{};
  w.height = t.l.source[1], w.width = t.l.source[2], w.pixel_stride = w.channels = C, w.tiles = p.tile_columns;
  w.component_stride = t.component, w.transformed = to;
  w.image = source + (image * p.source_planes + plane) * w.height * w.width * C;
  w.row = (t.row0 + row) * p.m + t.l.phases.front().source_first[1], w.column = t.l.phases.front().source_first[2];
  p.transforms->input(w);
}

/// The results [first, first + channels) of planes [plane0, plane1): the filters are transformed a row of components at
/// a time, so that they stay in the cache, used at once, and forgotten.
void compute(const Chunk& t, std::int64_t plane0, std::int64_t plane1, std::int64_t first, std::int64_t channels,
             float* scratch) {
  const WinogradPlan& p = t.p;
  const Kernels& k = *p.kernels;
  const std::int64_t C = t.l.source_channels, O = t.l.result_channels, lanes = k.lanes, T = p.m + 2,
                     blocks = channels / lanes;
  const std::int64_t component = p.depth * C * channels, tiles = t.tiles();
  const std::int64_t product = whole_lines((t.image1 - t.image0) * (plane1 - plane0) * tiles * channels) + 16;
  float *filters = scratch, *products = scratch + T * component;
  Run runs[8];
  GemmRows m{};
  m.rows = (plane1 - plane0) * tiles, m.columns = channels, m.run_length = C, m.a_stride = C, m.c_stride = channels,
  m.block_stride = p.depth * C * lanes;
  m.runs = runs, m.run_count = int(p.depth);
  for (std::int64_t row = 0; row < T; ++row) {
    for (std::int64_t i = 0; i < blocks * p.depth; ++i)
      p.transforms->weights({.from = t.panel + (first / lanes * p.depth + i) * 9 * C * lanes,
                             .to = filters + i * C * lanes,
                             .count = C,
                             .tap_stride = C * lanes,
                             .component_stride = component,
                             .slices = 1,
                             .slice_stride = 0,
                             .row0 = row,
                             .row1 = row + 1});
    for (std::int64_t column = 0; column < T; ++column)
      for (std::int64_t image = 0; image < t.image1 - t.image0; ++image) {
        for (std::int64_t tap = 0; tap < p.depth; ++tap) {
          const float* a =
              t.sources + (row * T + column) * t.component + (image * t.slots() + plane0 - t.plane0 + tap) * tiles * C;
          runs[tap] = {a, filters + column * component + tap * C * lanes, a};
        }
        m.c = products + (row * T + column) * product + image * m.rows * channels;
        k.gemm_rows(m);
      }
  }
  WinogradTiles out{};
  out.height = t.l.result[1], out.width = t.l.result[2], out.pixel_stride = O, out.channels = channels,
  out.tiles = p.tile_columns;
  out.component_stride = product, out.bias = t.bias ? t.bias + first : nullptr;
  out.transformed = products;
  for (std::int64_t image = t.image0; image < t.image1; ++image)
    for (std::int64_t q = plane0; q < plane1; ++q)
      for (std::int64_t r = 0; r < t.rows; ++r, out.transformed += p.tile_columns * channels) {
        out.result = t.result + (image * p.planes + q) * out.height * out.width * O + first;
        out.row = (t.row0 + r) * p.m;
        p.transforms->output(out);
      }
}

}  // namespace

void winograd_gather_wide(const ConvGeometry& g, const Lattice& lattice, int m, const float* source, const float* weights,
                          const float* bias, float* result) {
  const Phase& phase = lattice.phases.front();
  const std::int64_t C = lattice.source_channels, O = lattice.result_channels, depth = g.kernel[0], T = m + 2;
  const Kernels& k = winograd_kernels(C, O);
  const WinogradPlan p = winograd_plan(k, m, depth, phase.source_first[0], lattice.N, lattice.result[0], lattice.source[0],
                                       lattice.result[1], lattice.result[2], C, 0, source_floats);
  const std::int64_t channels = std::min<std::int64_t>(32, O), groups = ceil_div(O, channels);
  const std::int64_t plane_products = p.components * (whole_lines(p.band * p.tile_columns * channels) + 16);
  const std::int64_t image_sources = p.slots * p.band * p.tile_columns * C;
  // Filters are transformed anew for every chunk: as many images as possible share one.
  const std::int64_t together =
      p.columns() > p.images ? 1 : std::clamp<std::int64_t>(source_floats / (p.components * image_sources), 1, p.images);
  const std::int64_t component = whole_lines(together * image_sources) + 16;
  const std::int64_t per_item =
      std::clamp<std::int64_t>(product_floats / (together * plane_products), 1, ceil_div(p.step * groups, wanted_items));
  const std::int64_t item_floats = whole_lines(T * depth * C * channels + per_item * together * plane_products);
  const std::int64_t source_size = p.components * component, panel_floats = whole_lines(panel_size(k, lattice, phase));
  Tensor memory = scratch_memory(source_size + panel_floats + engine::threads() * item_floats);
  float *const sources = memory.data<float>(), *const panel = sources + source_size, *const scratch = panel + panel_floats;
  pack_weights(k, g, lattice, phase, weights, panel);
  for (std::int64_t i = 0; i < p.columns(); i += together) {
    const WinogradColumn c = winograd_column(p, i);
    for (std::int64_t plane = c.plane0; plane < c.plane1; plane += p.step) {
      const Chunk t{p,
                    lattice,
                    sources,
                    panel,
                    bias,
                    result,
                    component,
                    c.image,
                    std::min(c.image + together, p.images),
                    plane,
                    std::min(plane + p.step, c.plane1),
                    c.row0,
                    c.rows};
      const std::int64_t slots = t.slots(), parts = ceil_div(t.plane1 - t.plane0, per_item);
      share_work((t.image1 - t.image0) * slots * c.rows, 250.0 * double(p.tile_columns * C),
                 [&](std::int64_t j, std::int64_t) {
                   transform_source(t, source, t.image0 + j / c.rows / slots, j / c.rows % slots, j % c.rows, sources);
                 });
      share_work(parts * groups, 1e6, [&](std::int64_t j, std::int64_t worker) {
        const std::int64_t first = j / parts * channels, from = t.plane0 + j % parts * per_item;
        compute(t, from, std::min(from + per_item, t.plane1), first, std::min(channels, O - first),
                scratch + worker * item_floats);
      });
    }
  }
}

}  // namespace sagcl::ops::cpu
