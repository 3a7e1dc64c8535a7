#pragma once
#include <functional>
#include <memory>

#include "layers/module.h"

namespace sagcl::layers {

/// What a segmentation network gives: class scores per voxel and the encoder's deepest features.
struct Segmentation {
  Variable logits;      ///< [N, D, H, W, classes]
  Variable bottleneck;  ///< [N, D/16, H/16, W/16, 16 width], before its dropout
};

/// Some planes [1, n, H, W, channels] of a volume.
using PlaneSource = std::function<Variable(std::int64_t first, std::int64_t count)>;
using LogitSink = std::function<void(const Variable& planes)>;

/// A network that labels every voxel. Extents must be divisible by `stride()` (all three, or H and W when flat).
class Segmenter : public Module {
 public:
  virtual Segmentation forward(const Variable& x, const Pass& pass) = 0;
  virtual Variable encode(const Variable& x, const Pass& pass) = 0;  ///< the bottleneck alone, for patches
  /// The logits that forward() gives, not in training, for a volume of `depth` planes which is asked for and answered a few
  /// planes at a time, in order: so large a volume need not be in memory. On the CPU they have forward()'s bits.
  virtual void stream(std::int64_t depth, const PlaneSource& volume, const LogitSink& logits);
  virtual std::int64_t bottleneck_channels() const = 0;
  virtual bool flat() const = 0;  ///< true for images (D = 1)
  static constexpr std::int64_t stride() { return 16; }
};

struct SegmenterSpec {
  std::int64_t in_channels = 1;
  std::int64_t classes = 2;
  std::int64_t width = 16;  ///< channels of the first stage; each of the four next doubles them
};

/// "vnet" or "unet"; UsageError for any other name.
std::unique_ptr<Segmenter> make_segmenter(const std::string& name, const SegmenterSpec& spec, engine::Generator& random);

}  // namespace sagcl::layers
