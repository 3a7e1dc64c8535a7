#pragma once
#include <vector>

#include "layers/conv_unit.h"
#include "layers/segmenter.h"

namespace sagcl::layers {

/// Units (3x3x3) of a stage, one behind the other.
using VNetBlock = std::vector<std::unique_ptr<ConvUnit>>;

/// Up by a transposed 2x2x2 convolution unit, or by resizing x2 (linear or nearest) and a 3x3x3 unit, along the axes that
/// the step down has halved; the encoder's output is added; blocks of 3, 3, 2, 1 units; whole-channel dropout 0.5 before the
/// first and after the last; a 1x1x1 head.
class VNetDecoder final : public Decoder {
 public:
  VNetDecoder(const SegmenterSpec& spec, Upsampling upsampling, engine::Generator& random);
  Variable forward(std::vector<Variable> encoder, const Pass& pass) override;
  void describe(Parts& parts) override;

 private:
  friend class VNet;  // which streams through the parts
  SegmenterSpec spec_;
  Upsampling upsampling_;
  std::vector<std::unique_ptr<ConvUnit>> ups_;  // four
  std::vector<VNetBlock> blocks_;               // four
  std::unique_ptr<ConvLayer> head_;
};

/// The 3D V-Net of the semi-supervised literature (the version of UA-MT, Yu et al. 2019): no residual additions, skips are
/// added. Five encoder stages of 1, 2, 3, 3, 3 units (3x3x3), four strided 2x2x2 convolutions down, a decoder with
/// transposed ones. 9,448,866 parameters at width 16, 2 classes.
class VNet final : public Segmenter {
 public:
  VNet(const SegmenterSpec& spec, engine::Generator& random);
  Segmentation forward(const Variable& x, const Pass& pass) override;
  Variable encode(const Variable& x, const Pass& pass) override;
  void stream(std::int64_t depth, const PlaneSource& volume, const LogitSink& logits) override;
  void describe(Parts& parts) override;
  bool flat() const override { return false; }

  /// What a stage makes of a volume at once when it is streamed. The logits do not depend on it.
  std::int64_t streamed_floats = std::int64_t(8) << 20;

 private:
  void check_extents(const engine::Shape& s) const;
  std::vector<Variable> encode_all(const Variable& x, const Pass& pass);

  std::vector<VNetBlock> blocks_;                 // five
  std::vector<std::unique_ptr<ConvUnit>> downs_;  // four, 2x2x2 stride 2
  std::unique_ptr<VNetDecoder> decoder_;
};

}  // namespace sagcl::layers
