#include "ops/cpu/conv/winograd_plan.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace sagcl::ops::cpu {
namespace {

constexpr std::int64_t wanted_columns = 32;  // pieces of work, whatever the number of threads

/// A stride of at least n floats that spreads the components over the sets of the first-level cache: an odd number of lines.
std::int64_t spread(std::int64_t n) { return (whole_lines(n) / 16 | 1) * 16; }

}  // namespace

const Kernels& winograd_kernels(std::int64_t channels_in, std::int64_t channels_out) {
  return kernels_for(std::gcd(std::gcd(channels_in, channels_out), 16));
}

WinogradPlan winograd_plan(const Kernels& kernels, int m, std::int64_t depth, std::int64_t first, std::int64_t images,
                           std::int64_t planes, std::int64_t source_planes, std::int64_t height, std::int64_t width,
                           std::int64_t channels_in, std::int64_t channels_out, std::int64_t cache_floats) {
  if (depth == 1 && planes == 1 && source_planes == 1)  // images without depth are planes like any other
    planes = source_planes = std::exchange(images, 1);
  WinogradPlan p;
  p.m = m;
  p.kernels = &kernels;
  p.transforms = m == 4 ? &kernels.winograd4 : &kernels.winograd2;
  p.components = (m + 2) * (m + 2);
  p.depth = depth, p.first = first, p.images = images, p.planes = planes, p.source_planes = source_planes;
  p.tile_rows = ceil_div(height, m), p.tile_columns = ceil_div(width, m);
  const auto floats = [&](std::int64_t band, std::int64_t step) {
    return p.components * band * p.tile_columns * ((step + depth - 1) * channels_in + step * channels_out);
  };
  while (p.band < p.tile_rows && floats(p.band + 1, p.step) <= cache_floats) ++p.band;
  while (p.step < p.planes && floats(p.band, p.step + 1) <= cache_floats) ++p.step;
  p.bands = ceil_div(p.tile_rows, p.band);
  p.band = ceil_div(p.tile_rows, p.bands);
  // More columns by cutting the depth, as long as the planes computed twice at the cuts stay few.
  const std::int64_t cuts =
      std::clamp<std::int64_t>(ceil_div(wanted_columns, images * p.bands), 1, std::max<std::int64_t>(1, planes / 8));
  p.range = ceil_div(ceil_div(planes, cuts), p.step) * p.step;
  p.ranges = ceil_div(planes, p.range);
  p.slots = p.step + depth - 1;
  p.component_in = spread(p.band * p.tile_columns * channels_in);
  p.component_out = spread(p.band * p.tile_columns * channels_out);
  return p;
}

WinogradColumn winograd_column(const WinogradPlan& p, std::int64_t index) {
  const std::int64_t range = index % p.ranges, band = index / p.ranges % p.bands;
  WinogradColumn c{index / p.ranges / p.bands, p.tile_rows * band / p.bands, 0, range * p.range, 0};
  c.rows = p.tile_rows * (band + 1) / p.bands - c.row0;
  c.plane1 = std::min(c.plane0 + p.range, p.planes);
  return c;
}

}  // namespace sagcl::ops::cpu
