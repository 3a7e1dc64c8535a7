#pragma once
#include <cstdint>

#include "ops/cpu/conv/work.h"
#include "ops/cpu/kernels.h"

namespace sagcl::ops::cpu {

/// How a Winograd pass is cut up. A column of work is a band of tile rows over a range of planes; it is walked plane by
/// plane, keeping the transforms of the planes that the kernel's depth still needs in a ring. A step computes a few planes.
struct WinogradPlan {
  int m = 4;
  const Kernels* kernels = nullptr;  ///< whose vectors the channels of both sides fill
  const WinogradKernels* transforms = nullptr;
  std::int64_t components = 36;
  std::int64_t depth = 1, first = 0;  ///< taps in depth, source plane of tap 0 for plane 0
  std::int64_t images = 1, planes = 1, source_planes = 1;
  std::int64_t tile_rows = 1, tile_columns = 1;      ///< of a plane
  std::int64_t band = 1, bands = 1;                  ///< most tile rows of a column of work
  std::int64_t step = 1, slots = 1;                  ///< planes per step, planes kept in the ring
  std::int64_t range = 1, ranges = 1;                ///< planes of a column of work
  std::int64_t component_in = 0, component_out = 0;  ///< strides between components within a plane of the ring
  std::int64_t columns() const { return images * bands * ranges; }
  std::int64_t scratch() const { return whole_lines(components * (slots * component_in + step * component_out)); }
};

/// One column of work.
struct WinogradColumn {
  std::int64_t image, row0, rows, plane0, plane1;
};

/// The kernels whose vectors both numbers of channels fill.
const Kernels& winograd_kernels(std::int64_t channels_in, std::int64_t channels_out);

WinogradPlan winograd_plan(const Kernels& kernels, int m, std::int64_t depth, std::int64_t first, std::int64_t images,
                           std::int64_t planes, std::int64_t source_planes, std::int64_t height, std::int64_t width,
                           std::int64_t channels_in, std::int64_t channels_out, std::int64_t cache_floats);
WinogradColumn winograd_column(const WinogradPlan& p, std::int64_t index);

}  // namespace sagcl::ops::cpu
