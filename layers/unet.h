#pragma once
#include <vector>

#include "layers/conv_unit.h"
#include "layers/segmenter.h"

namespace sagcl::layers {

/// The 2D U-Net of the semi-supervised literature (SSL4MIS): five stages of two 3x3 units with LeakyReLU 0.01 and element
/// dropout 0.05 … 0.5 between them, max pooling down; up by a 1x1 convolution, bilinear x2 with corners aligned,
/// concatenation [skip, up] and two units; a 3x3 head. 1,813,764 parameters at width 16, 1 channel, 4 classes.
class UNet final : public Segmenter {
 public:
  UNet(const SegmenterSpec& spec, engine::Generator& random);
  Segmentation forward(const Variable& x, const Pass& pass) override;
  Variable encode(const Variable& x, const Pass& pass) override;
  void describe(Parts& parts) override;
  std::int64_t bottleneck_channels() const override { return 16 * width_; }
  bool flat() const override { return true; }

  /// Outputs of the nine stages in order, for tests and inspection; filled when set.
  std::vector<Variable>* stages = nullptr;

 private:
  struct Block {
    std::unique_ptr<ConvUnit> first, second;
    double dropout = 0;
  };
  Block make_block(std::int64_t in, std::int64_t out, double dropout, engine::Generator& random);
  Variable run_block(const std::string& name, Block& block, const Variable& x, const Pass& pass);
  std::vector<Variable> encode_all(const Variable& x, const Pass& pass);

  std::int64_t width_;
  std::vector<Block> encoder_, decoder_;                 // five and four
  std::vector<std::unique_ptr<ConvLayer>> projections_;  // four 1x1
  std::unique_ptr<ConvLayer> head_;
};

}  // namespace sagcl::layers
