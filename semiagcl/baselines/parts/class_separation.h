#pragma once
#include <memory>
#include <vector>

#include "layers/projection_head.h"

namespace sagcl::semiagcl {

using autograd::Variable;
using engine::Tensor;

/// Class separation of SS-Net (Wu et al., MICCAI 2022; after Alonso et al., ICCV 2021): features of voxels of a class should
/// point where a few good ones of that class point. K here counts the classes without background, E = 32.

/// A class's good features: unit vectors, and which of them there are.
struct ClassMemory {
  Tensor features;  ///< [K, S, E]
  Tensor counted;   ///< [K, S]: 1, or 0 for what only fills up
};

/// Σ_ij w_ik v_kj (1 − f_i · m_kj) / (Σ_i w_ik Σ_j v_kj) for every class k; it is bilinear, so no [R, S] matrix is needed.
/// Unit vectors f [R, E] and m [K, S, E], weights w [R, K] and v [K, S] -> [K]; 1 where a class has no weight.
Variable class_distances(const Variable& f, const Variable& w, const Variable& m, const Variable& v);

/// Projection and prediction of a voxel's features, and for each class two selectors that say how much a voxel and a
/// remembered feature count. 3,840 + 2,306 K parameters for 16 channels.
class SeparationHeads final : public layers::Module {
 public:
  SeparationHeads(std::int64_t channels, std::int64_t classes, engine::Generator& random);

  /// The at most 32 voxels of each class that are predicted correctly and that its selector ranks lowest. features [R, F];
  /// labels and predicted i32 [R].
  ClassMemory remember(const Tensor& features, const Tensor& labels, const Tensor& predicted);

  /// Σ_k class_distances / classes over those of which there are two voxels and two in the memory. features [R, F], classes
  /// i32 [R], −1 not counted. The selectors see constants.
  Variable loss(const Variable& features, const Tensor& classes, const ClassMemory& memory);

  void describe(layers::Parts& parts) override;

 private:
  using Selectors = std::vector<std::unique_ptr<layers::Perceptron>>;
  layers::Perceptron projection_, prediction_;
  Selectors voxel_, memory_;  // of each class but background
};

}  // namespace sagcl::semiagcl
