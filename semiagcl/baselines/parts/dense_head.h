#pragma once
#include "layers/conv_unit.h"
#include "layers/segmenter.h"

namespace sagcl::semiagcl {

/// Features of voxels for a contrast (ACTION, ARCO): the encoder's last and the decoder's four outputs side by side (31 ·
/// width channels), a convolution 3x3(x3) with batch norm and ReLU, and one of 1x1(x1) -> [N, D/4, H/4, W/4, dim].
class DenseHead final : public layers::Module {
 public:
  DenseHead(const layers::SegmenterSpec& spec, bool flat, std::int64_t dim, engine::Generator& random);
  layers::Variable forward(const layers::Stages& stages, const layers::Pass& pass);
  void describe(layers::Parts& parts) override;

 private:
  layers::ConvUnit mix_;
  layers::ConvLayer out_;
};

}  // namespace sagcl::semiagcl
