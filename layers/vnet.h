#pragma once
#include <vector>

#include "layers/conv_unit.h"
#include "layers/segmenter.h"

namespace sagcl::layers {

/// The 3D V-Net of the semi-supervised literature (the version of UA-MT, Yu et al. 2019): no residual additions, skips are
/// added. Five encoder stages of 1, 2, 3, 3, 3 units (3x3x3), four strided 2x2x2 convolutions down and four transposed
/// ones up, a 1x1x1 head; whole-channel dropout 0.5 after stages 5 and 9. 9,448,866 parameters at width 16, 2 classes.
class VNet final : public Segmenter {
 public:
  VNet(const SegmenterSpec& spec, engine::Generator& random);
  Segmentation forward(const Variable& x, const Pass& pass) override;
  Variable encode(const Variable& x, const Pass& pass) override;
  void stream(std::int64_t depth, const PlaneSource& volume, const LogitSink& logits) override;
  void describe(Parts& parts) override;
  std::int64_t bottleneck_channels() const override { return 16 * width_; }
  bool flat() const override { return false; }

  /// Outputs of the nine stages in order, for tests and inspection; empty until asked for.
  std::vector<Variable>* stages = nullptr;

  /// What a stage makes of a volume at once when it is streamed. The logits do not depend on it.
  std::int64_t streamed_floats = std::int64_t(8) << 20;

 private:
  using Block = std::vector<std::unique_ptr<ConvUnit>>;
  static void check_extents(const engine::Shape& s);
  Variable run_block(std::size_t b, Variable x, const Pass& pass);
  Variable encode(const Variable& x, const Pass& pass, std::vector<Variable>& skips);

  std::int64_t width_;
  std::vector<Block> blocks_;                     // nine: five down, four up
  std::vector<std::unique_ptr<ConvUnit>> downs_;  // four, 2x2x2 stride 2
  std::vector<std::unique_ptr<ConvUnit>> ups_;    // four, transposed 2x2x2 stride 2
  std::unique_ptr<ConvLayer> head_;
};

}  // namespace sagcl::layers
