#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "engine/tensor.h"

namespace sagcl::semiagcl {

using engine::Tensor;

/// Which of the axes D, H, W are mirrored.
using Mirror = std::array<bool, 3>;

/// The 2^n combinations of the n axes that are true, the one without a mirror first.
std::vector<Mirror> mirrors_along(const Mirror& axes);

/// An image f32 [N, D, H, W, C] on the host, mirrored.
Tensor mirrored(const Tensor& x, const Mirror& mirror);

/// The mean of what a network gives for an image and for its mirror images, each mirrored back (test-time augmentation).
/// Memory: one sum, however many mirrors there are.
class MirrorMean {
 public:
  /// `depth`: planes of the image.
  explicit MirrorMean(std::int64_t depth) : depth_(depth) {}

  /// The planes [first, first + n) of a mirrored image's values, f32 [N, n, H, W, C] on the host.
  void add(const Tensor& planes, std::int64_t first, const Mirror& mirror);

  /// The mean [N, depth, H, W, C] once all planes of all `mirrors` were added.
  Tensor take(std::size_t mirrors);

 private:
  std::int64_t depth_;
  Tensor sum_;
};

/// The mean of f(x) over `mirrors`; x and f(x) are f32 [N, D, H, W, channels]. With the one without a mirror alone, f(x).
Tensor mean_over_mirrors(const Tensor& x, const std::vector<Mirror>& mirrors, const std::function<Tensor(const Tensor&)>& f);

}  // namespace sagcl::semiagcl
