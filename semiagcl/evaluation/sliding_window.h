#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "engine/extents.h"
#include "engine/tensor.h"

namespace sagcl::semiagcl {

using engine::Extents;
using engine::Tensor;

/// How windows overlap. LA: window 112x112x80 (in the file's x,y,z order), stride 18x18x4.
struct WindowSpec {
  Extents window{{112, 112, 80}};
  Extents stride{{18, 18, 4}};
  /// weight probabilities by a Gaussian around the window's centre, else all alike (the papers)
  bool gaussian = false;
  /// its σ as a share of the window, per axis; at 1/8 the outermost voxel still counts e^-8 or more along each axis
  double gaussian_share = 0.125;
  std::int64_t batch = 1;  ///< windows per call
};

/// Starts along one axis: ceil((length − window)/stride) + 1 of them, the last moved back to length − window.
/// UsageError unless window and stride are above 0 and the window fits.
std::vector<std::int64_t> window_starts(std::int64_t length, std::int64_t window, std::int64_t stride);

/// The windows of a volume. A volume smaller than the window is padded with zeros on both sides, the odd voxel behind.
struct WindowPlan {
  Extents before, after;                ///< padding
  std::vector<std::int64_t> starts[3];  ///< per axis, in the padded volume
  std::vector<Extents> all() const;     ///< every window's start; the last axis runs fastest
};
WindowPlan plan_windows(const Extents& volume, const WindowSpec& spec);

/// Class probabilities [b, window, C] of windows [b, window, channels]; must be pure and in the input's dtype.
using Probabilities = std::function<Tensor(const Tensor& windows)>;

/// Receives some planes [n, H, W, C] of a volume; they come in order, each once.
using PlaneSink = std::function<void(const Tensor& planes)>;

/// Is told how many windows are done; it may throw to stop.
using WindowCount = std::function<void(std::int64_t done, std::int64_t total)>;

/// Mean class probabilities of a volume [D,H,W,channels] (f32 or f64, on the host) over all windows that cover a voxel,
/// handed to `finished` plane by plane, in the input's dtype, as soon as no later window reaches a plane. Memory: the
/// windows of one call and C values for each voxel of as many planes as a window has; weights are products of three short
/// arrays, so no count volume is kept. UsageError when stride > window would leave gaps; ShapeError when `probabilities`
/// returns another shape.
void sliding_window(const Tensor& volume, const WindowSpec& spec, const Probabilities& probabilities,
                    const PlaneSink& finished, const WindowCount& count = {});

}  // namespace sagcl::semiagcl
