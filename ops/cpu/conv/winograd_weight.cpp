#include <algorithm>
#include <cstring>
#include <vector>

#include "engine/parallel.h"
#include "ops/cpu/conv/winograd.h"
#include "ops/cpu/conv/winograd_outer.h"
#include "ops/cpu/conv/winograd_plan.h"

namespace sagcl::ops::cpu {

using engine::Tensor;

namespace {

constexpr std::int64_t cache_floats = 160 * 1024;  // transforms of one thread: most of a second-level cache
constexpr std::int64_t wide_floats = 2 << 20;      // transforms of all threads together: 8 MiB
constexpr std::int64_t many_sums = 400 * 1000;     // from here on the sums are kept once
constexpr std::int64_t most_slices = 16;

/// What both orders of summation share.
struct Pass {
  const WinogradPlan& p;
  const ConvGeometry& g;
  const float *x, *dy;
  WinogradTiles in{}, out{};

  Pass(const WinogradPlan& plan, const ConvGeometry& geometry, const float* x_, const float* dy_)
      : p(plan), g(geometry), x(x_), dy(dy_) {
    in.height = g.in[1], in.width = g.in[2], in.pixel_stride = in.channels = g.C, in.column = -g.padding[2];
    out.height = g.out[1], out.width = g.out[2], out.pixel_stride = out.channels = g.O;
    in.tiles = out.tiles = p.tile_columns, in.component_stride = p.component_in, out.component_stride = p.component_out;
  }
  const float* x_plane(std::int64_t image, std::int64_t plane) const {
    return x + (image * p.source_planes + plane) * g.in[1] * g.in[2] * g.C;
  }
  const float* dy_plane(std::int64_t image, std::int64_t plane) const {
    return dy + (image * p.planes + plane) * g.out[1] * g.out[2] * g.O;
  }
  std::int64_t slot_floats() const { return p.components * p.component_in; }
  std::int64_t gradient_floats() const { return p.components * p.component_out; }

  /// Transforms tile row `row` of a plane of x, zeros outside the volume; `to` is that row's place in its slot.
  void transform_x(std::int64_t image, std::int64_t plane, std::int64_t row, float* to) const {
    if (plane < 0 || plane >= p.source_planes) {
      for (std::int64_t k = 0; k < p.components; ++k)
        std::memset(to + k * p.component_in, 0, std::size_t(p.tile_columns * g.C) * sizeof(float));
      return;
    }
    WinogradTiles w = in;
    w.image = x_plane(image, plane), w.row = row * p.m - g.padding[1], w.transformed = to;
    p.transforms->input(w);
  }
  void transform_dy(std::int64_t image, std::int64_t plane, std::int64_t row, float* to) const {
    WinogradTiles w = out;
    w.image = dy_plane(image, plane), w.row = row * p.m, w.transformed = to;
    p.transforms->gradient(w);
  }
};

/// Few channels: the sums fit the cache many times. Adds one column of work, plane by plane, to one slice's sums.
void add_column(const Pass& t, const WinogradColumn& c, float* sums, float* scratch, std::vector<OuterLine>& lines) {
  const WinogradPlan& p = t.p;
  const ConvGeometry& g = t.g;
  float* const gradients = scratch + p.slots * t.slot_floats();
  const auto slot = [&](std::int64_t plane) { return scratch + (plane - p.first) % p.slots * t.slot_floats(); };
  const std::int64_t part = c.rows * p.m * g.out[2] * g.C / p.components, first_pixel = c.row0 * p.m * g.in[2];
  std::int64_t ready = c.plane0 + p.first;
  for (std::int64_t plane = c.plane0; plane < c.plane1; plane += p.step) {
    const std::int64_t end = std::min(plane + p.step, c.plane1);
    for (; ready < end + p.first + p.depth - 1; ++ready)
      for (std::int64_t r = 0; r < c.rows; ++r)
        t.transform_x(c.image, ready, c.row0 + r, slot(ready) + r * p.tile_columns * g.C);
    for (std::int64_t q = plane; q < end; ++q)
      for (std::int64_t r = 0; r < c.rows; ++r)
        t.transform_dy(c.image, q, c.row0 + r, gradients + (q - plane) * t.gradient_floats() + r * p.tile_columns * g.O);
    // What the next step will transform is fetched meanwhile, a part with every component.
    const float* const next = t.x_plane(c.image, std::min(ready, p.source_planes - 1)) + first_pixel * g.C;
    lines.resize(std::size_t(end - plane));
    for (std::int64_t k = 0; k < p.components; ++k) {
      for (std::int64_t q = plane; q < end; ++q)
        lines[std::size_t(q - plane)] = {{},
                                         gradients + (q - plane) * t.gradient_floats() + k * p.component_out,
                                         next + k * part,
                                         c.rows * p.tile_columns};
      winograd_outer(*p.kernels, lines, p.depth, g.C, g.O, g.O, sums + k * g.O * p.depth * g.C,
                     [&](std::size_t i, std::int64_t tap) {
                       return slot(plane + std::int64_t(i) + p.first + tap) + k * p.component_in;
                     });
    }
  }
}

/// Many channels: the sums are as large as the activations. Some planes of a column are transformed by all threads, then
/// each component is summed by one of them, so there is one set of sums however many threads there are.
void add_planes(const Pass& t, const WinogradColumn& c, std::int64_t plane0, std::int64_t plane1, float* sums,
                float* scratch) {
  const WinogradPlan& p = t.p;
  const ConvGeometry& g = t.g;
  float* const gradients = scratch + p.slots * t.slot_floats();
  const std::int64_t sources = plane1 - plane0 + p.depth - 1, rows = (sources + plane1 - plane0) * c.rows;
  share_work(rows, 250.0 * double(p.tile_columns * g.C), [&](std::int64_t i, std::int64_t) {
    const std::int64_t plane = i / c.rows, r = i % c.rows;
    if (plane < sources)
      t.transform_x(c.image, plane0 + p.first + plane, c.row0 + r,
                    scratch + plane * t.slot_floats() + r * p.tile_columns * g.C);
    else
      t.transform_dy(c.image, plane0 + plane - sources, c.row0 + r,
                     gradients + (plane - sources) * t.gradient_floats() + r * p.tile_columns * g.O);
  });
  constexpr std::int64_t group = 64;  // output channels per piece of work
  const std::int64_t groups = ceil_div(g.O, group);
  share_work(p.components * groups, double((plane1 - plane0) * c.rows * p.tile_columns * p.depth * g.C * group),
             [&](std::int64_t i, std::int64_t) {
               const std::int64_t k = i / groups, channel = i % groups * group;
               std::vector<OuterLine> lines(std::size_t(plane1 - plane0));
               for (std::size_t q = 0; q < lines.size(); ++q) {
                 const float* line = gradients + std::int64_t(q) * t.gradient_floats() + k * p.component_out + channel;
                 lines[q] = {{}, line, line, c.rows * p.tile_columns};
               }
               winograd_outer(*p.kernels, lines, p.depth, g.C, g.O, std::min(group, g.O - channel),
                              sums + (k * g.O + channel) * p.depth * g.C, [&](std::size_t q, std::int64_t tap) {
                                return scratch + (std::int64_t(q) + tap) * t.slot_floats() + k * p.component_in;
                              });
             });
}

}  // namespace

void winograd_backward_weight(const ConvGeometry& g, int m, const float* x, const float* dy, float* dw) {
  const std::int64_t component = g.O * g.kernel[0] * g.C, slice_floats = (m + 2) * (m + 2) * component;
  const bool wide = slice_floats > many_sums;
  const WinogradPlan p = winograd_plan(winograd_kernels(g.C, g.O), m, g.kernel[0], -g.padding[0], g.N, g.out[0], g.in[0],
                                       g.out[1], g.out[2], g.C, g.O, wide ? wide_floats : cache_floats);
  const Pass t(p, g, x, dy);
  std::int64_t slices = 1;
  Tensor sums;
  if (wide) {
    sums = scratch_memory(slice_floats);
    engine::parallel_ranges(slice_floats, 1 << 16, [&](std::int64_t begin, std::int64_t end) {
      std::memset(sums.data<float>() + begin, 0, std::size_t(end - begin) * sizeof(float));
    });
    Tensor scratch = scratch_memory(p.scratch());
    for (std::int64_t i = 0; i < p.columns(); ++i) {
      const WinogradColumn c = winograd_column(p, i);
      for (std::int64_t plane = c.plane0; plane < c.plane1; plane += p.step)
        add_planes(t, c, plane, std::min(plane + p.step, c.plane1), sums.data<float>(), scratch.data<float>());
    }
  } else {
    slices = std::min(p.columns(), most_slices);
    sums = scratch_memory(slices * slice_floats);
    Tensor scratch = scratch_memory(engine::threads() * p.scratch());
    share_work(slices, multiplications(g) / double(slices), [&](std::int64_t slice, std::int64_t worker) {
      float* sum = sums.data<float>() + slice * slice_floats;
      std::memset(sum, 0, std::size_t(slice_floats) * sizeof(float));
      std::vector<OuterLine> lines;
      for (std::int64_t c = p.columns() * slice / slices; c < p.columns() * (slice + 1) / slices; ++c)
        add_column(t, winograd_column(p, c), sum, scratch.data<float>() + worker * p.scratch(), lines);
    });
  }
  engine::parallel_for(g.O * p.depth, std::max<std::int64_t>(1, 256 / g.C), [&](std::int64_t i) {
    p.transforms->weight_gradient({sums.data<float>() + i * g.C, dw + i * 9 * g.C, g.C / p.kernels->lanes, g.C, component,
                                   slices, slice_floats, 0, 0});
  });
}

}  // namespace sagcl::ops::cpu
