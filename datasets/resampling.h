#pragma once
#include <array>
#include <functional>
#include <vector>

#include "datasets/volume.h"
#include "engine/extents.h"

/// Volumes on another grid: what makes voxels of all cases equally large before training, and predictions fit the image
/// again. The outer faces of the volume stay where they are: voxel i of n shows position (i + ½) s/n − ½ of the s voxels
/// there are, not beyond the centres of the outermost ones.
namespace sagcl::datasets {

/// Millimetres between voxels along D, H, W; 0 in a target leaves an axis as it is.
using Spacing = std::array<double, 3>;

/// How many voxels `to` apart a volume of `size` voxels `from` apart has: to the nearest whole number, at least 1.
engine::Extents extents_at(const engine::Extents& size, const Spacing& from, const Spacing& to);

/// Between voxels: linear, or by the cubic B-spline through them, mirrored at the outermost voxels (as SciPy's order 3 with
/// mode mirror). Cubic keeps edges of images sharper; it may overshoot.
enum class Interpolation { linear, cubic };

/// f32 [D, H, W, C] -> [size, C], axis by axis, each in its own way: along one whose voxels lie far apart a cubic spline
/// overshoots.
Tensor resampled(const Tensor& image, const engine::Extents& size, const std::array<Interpolation, 3>& how);

/// u8 [D, H, W] -> [size]: every voxel the class whose membership, 1 in its voxels and 0 elsewhere, linearly interpolated,
/// is largest there; the lower one of equals. not_annotated counts as a class.
Tensor resampled_label(const Tensor& label, const engine::Extents& size);

/// The voxels that resampled() reads along one axis of s voxels for n: number i is a mixture of `first[i]` and the next.
struct LinearWeights {
  std::vector<std::int64_t> first;
  std::vector<float> second;  ///< weight of the next voxel, that of the first being 1 − second
};
LinearWeights linear_weights(std::int64_t s, std::int64_t n);

/// resampled(), all axes linear, of a volume that comes plane by plane and leaves plane by plane: two are held.
class PlaneResampling {
 public:
  /// `sink` is given planes [1, size[1], size[2], C], in order; `planes` are to come.
  PlaneResampling(std::int64_t planes, const engine::Extents& size, std::function<void(const Tensor&)> sink);
  void add(const Tensor& planes);  ///< the next ones, f32 [n, h, w, C]

 private:
  const Tensor& held(std::int64_t plane) const { return held_[std::size_t(plane % 2)]; }
  const LinearWeights weights_;
  const engine::Extents size_;
  const std::function<void(const Tensor&)> sink_;
  std::array<Tensor, 2> held_;  // the last two, plane p at p % 2
  std::int64_t seen_ = 0, given_ = 0;
};

}  // namespace sagcl::datasets
