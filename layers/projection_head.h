#pragma once
#include "layers/norm_layer.h"

namespace sagcl::layers {

/// y = x wᵀ + b with w [O, I], b [O].
class Linear final : public Module {
 public:
  Linear(std::int64_t in, std::int64_t out, engine::Generator& random);
  Variable forward(const Variable& x) const;
  void describe(Parts& parts) override;

 private:
  Variable w_, b_;
};

/// Rows [R, in] -> Linear, batch norm, ReLU or, with a slope, LeakyReLU, Linear -> [R, out].
class Perceptron final : public Module {
 public:
  Perceptron(std::int64_t in, std::int64_t hidden, std::int64_t out, engine::Generator& random, double slope = 0);
  Variable forward(const Variable& x, const Pass& pass);
  void describe(Parts& parts) override;

 private:
  Linear first_;
  BatchNorm bn_;
  Linear second_;
};

/// Pooled features [R, in] -> Perceptron -> unit vectors [R, out]. The paper does not describe it; this is the form of
/// PatchCL (Basak & Yin, CVPR 2023), scaled. 99,200 parameters at 256 -> 256 -> 128.
class ProjectionHead final : public Module {
 public:
  ProjectionHead(std::int64_t in, std::int64_t hidden, std::int64_t out, engine::Generator& random);
  Variable forward(const Variable& x, const Pass& pass);
  void describe(Parts& parts) override;

 private:
  Perceptron layers_;
};

}  // namespace sagcl::layers
