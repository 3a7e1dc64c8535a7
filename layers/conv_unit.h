#pragma once
#include <vector>

#include "layers/conv_layer.h"
#include "layers/norm_layer.h"

namespace sagcl::layers {

/// Convolution, batch norm, activation: the brick of both networks.
class ConvUnit final : public Module {
 public:
  ConvUnit(const ConvLayer::Spec& spec, double slope, engine::Generator& random)
      : conv_(spec, random), bn_(spec.out, slope) {}
  Variable forward(const Variable& x, const Pass& pass);
  Variable forward_planes(const Variable& x, std::int64_t whole_depth);  ///< not in training; see ConvLayer
  void describe(Parts& parts) override;

 private:
  ConvLayer conv_;
  BatchNorm bn_;
};

/// Drops whole channels (V-Net) or single elements (U-Net) when the pass says so.
Variable drop(const Variable& x, double p, bool whole_channels, const Pass& pass);

}  // namespace sagcl::layers
