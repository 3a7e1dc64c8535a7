#pragma once
#include <vector>

#include "layers/conv_unit.h"
#include "layers/segmenter.h"

namespace sagcl::layers {

/// Two 3x3 units with LeakyReLU 0.01 and element dropout between them.
class UNetBlock final : public Module {
 public:
  UNetBlock(std::int64_t in, std::int64_t out, double dropout, engine::Generator& random);
  Variable forward(const Variable& x, const Pass& pass);
  void describe(Parts& parts) override;

 private:
  ConvUnit first_, second_;
  double dropout_;
};

/// Up by a 1x1 convolution and bilinear x2 with corners aligned (linear) or nearest x2, or by a transposed 2x2 convolution;
/// concatenation [skip, up] and a block without dropout; a 3x3 head.
class UNetDecoder final : public Decoder {
 public:
  UNetDecoder(const SegmenterSpec& spec, Upsampling upsampling, engine::Generator& random);
  Variable forward(std::vector<Variable> encoder, const Pass& pass) override;
  void describe(Parts& parts) override;

 private:
  Variable up(std::size_t l, const Variable& x) const;
  SegmenterSpec spec_;
  Upsampling upsampling_;
  std::vector<std::unique_ptr<ConvLayer>> projections_;  // four: 1x1, or transposed 2x2
  std::vector<std::unique_ptr<UNetBlock>> blocks_;       // four
  std::unique_ptr<ConvLayer> head_;
};

/// The 2D U-Net of the semi-supervised literature (SSL4MIS): five stages of a block with dropout 0.05 … 0.5, max pooling
/// down; a linear decoder. 1,813,764 parameters at width 16, 1 channel, 4 classes.
class UNet final : public Segmenter {
 public:
  UNet(const SegmenterSpec& spec, engine::Generator& random);
  Segmentation forward(const Variable& x, const Pass& pass) override;
  Variable encode(const Variable& x, const Pass& pass) override;
  void describe(Parts& parts) override;
  bool flat() const override { return true; }

 private:
  std::vector<Variable> encode_all(const Variable& x, const Pass& pass);

  std::vector<std::unique_ptr<UNetBlock>> encoder_;  // five
  std::unique_ptr<UNetDecoder> decoder_;
};

}  // namespace sagcl::layers
