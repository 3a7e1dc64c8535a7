#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/extents.h"
#include "layers/module.h"

namespace sagcl::layers {

/// What a segmentation network gives: class scores per voxel and the encoder's deepest features.
struct Segmentation {
  Variable logits;      ///< [N, D, H, W, classes]
  Variable bottleneck;  ///< [N, D/16, H/16, W/16, 16 width] if every axis is halved four times, before its dropout
};

/// What the stages of a network give on the way to its logits.
struct Stages {
  std::vector<Variable> encoder;  ///< five, level l has 2^l width channels; the last is the bottleneck
  std::vector<Variable> decoder;  ///< four, from the extents of encoder[3], 8 width channels, to [N, D, H, W, width]
  Variable features;              ///< what the head sees: the last of the decoder, after its dropout if it has one
};

/// Activations as the layers of a network hand them on: f32 becomes bf16 under engine::Precision::bf16.
Variable narrowed(const Variable& x);
/// And as everybody else sees them: bf16 becomes f32.
Variable widened(const Variable& x);
std::vector<Variable> widened(std::vector<Variable> all);

/// How a decoder doubles extents.
enum class Upsampling { transposed, linear, nearest };

struct SegmenterSpec {
  std::int64_t in_channels = 1;
  std::int64_t classes = 2;
  std::int64_t width = 16;  ///< channels of the first stage; each of the four next doubles them
  /// How many of the four steps down halve D, H and W, 0 to 4: the last so many. 4 is the networks of the papers. Where
  /// voxels lie far apart along an axis fewer let the deep stages see as far along it as across, and do not halve it away.
  engine::Extents halvings{{4, 4, 4}};

  /// What the step from level l = 0 … 3 to the next divides the extents by, an axis by 1 or 2.
  engine::Extents step(std::size_t level) const;
};

/// The way from the outputs of a network's encoder back to the extents of its input: four stages, each with an output of
/// the encoder, and the head. A network has one; MC-Net trains further ones.
class Decoder : public Module {
 public:
  /// The logits; `encoder` as in Stages. Fills pass.stages' decoder and features.
  virtual Variable forward(std::vector<Variable> encoder, const Pass& pass) = 0;
};

/// Some planes [1, n, H, W, channels] of a volume.
using PlaneSource = std::function<Variable(std::int64_t first, std::int64_t count)>;
using LogitSink = std::function<void(const Variable& planes)>;

/// A network that labels every voxel. Extents must be divisible by stride().
class Segmenter : public Module {
 public:
  explicit Segmenter(const SegmenterSpec& spec = {}) : spec_(spec) {}
  virtual Segmentation forward(const Variable& x, const Pass& pass) = 0;
  virtual Variable encode(const Variable& x, const Pass& pass) = 0;  ///< the bottleneck alone, for patches
  /// The logits that forward() gives, not in training, for a volume of `depth` planes which is asked for and answered a few
  /// planes at a time, in order: so large a volume need not be in memory. On the CPU they have forward()'s bits.
  virtual void stream(std::int64_t depth, const PlaneSource& volume, const LogitSink& logits);
  virtual bool flat() const = 0;  ///< true for images (D = 1)
  std::int64_t bottleneck_channels() const { return spec_.width << 4; }
  engine::Extents stride() const;  ///< of all four steps; of images 1 along D

 protected:
  const SegmenterSpec spec_;
};

/// "vnet" or "unet"; UsageError for any other name.
std::unique_ptr<Segmenter> make_segmenter(const std::string& name, const SegmenterSpec& spec, engine::Generator& random);

/// Segmenter::flat() of the network of that name, where there is none yet; UsageError for any other name.
bool flat(const std::string& name);

/// A decoder that fits the network of that name, whose own has transposed convolutions (vnet) or is linear (unet).
std::unique_ptr<Decoder> make_decoder(const std::string& name, const SegmenterSpec& spec, Upsampling upsampling,
                                      engine::Generator& random);

}  // namespace sagcl::layers
