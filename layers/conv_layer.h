#pragma once
#include "layers/module.h"
#include "ops/conv.h"

namespace sagcl::layers {

/// A convolution with its weights w [O, kernel, C] and bias b [O], or, transposed, w [C, kernel, O].
class ConvLayer final : public Module {
 public:
  struct Spec {
    std::int64_t in = 1, out = 1;
    engine::Extents kernel{{3, 3, 3}};
    engine::Extents stride{{1, 1, 1}};
    engine::Extents padding{{0, 0, 0}};
    bool transposed = false;
  };
  ConvLayer(const Spec& spec, engine::Generator& random);
  Variable forward(const Variable& x, bool norm_follows = false) const;  ///< see ops::ConvSpec
  /// The result's planes that x reaches without padding in depth, x being planes of a volume whose result has `whole_depth`.
  Variable forward_planes(const Variable& x, std::int64_t whole_depth) const;
  void describe(Parts& parts) override;
  const Spec& spec() const { return spec_; }

 private:
  Variable apply(const Variable& x, const ops::ConvSpec& spec) const;
  Spec spec_;
  Variable w_, b_;
};

}  // namespace sagcl::layers
