#pragma once
// What callers of operations state: the choices and numbers that are no tensors.
#include <utility>
#include <vector>

#include "engine/tensor.h"

namespace sagcl::ops {

using engine::Tensor;

enum class Metric { squared_l2, l1 };

struct NuclearNormSpec {
  double drop = 1e-6;  ///< singular values s < drop * s_max are left out of U Vᵀ (not out of the value)
  bool polar = false;  ///< QDWH polar iteration instead of the SVD; falls back to the SVD when a factorisation fails
};

/// p ← p - lr m̂ / (sqrt(v̂) + eps), with L2 decay added to the gradient. Kingma & Ba 2015, Algorithm 1.
struct AdamSpec {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
  bool decoupled = false;  ///< AdamW: lr weight_decay p is taken off p instead. Loshchilov & Hutter 2019, Algorithm 2.
};

/// v ← momentum v + (g + weight_decay p);  p ← p - lr v.
struct SgdSpec {
  double momentum = 0.9, weight_decay = 0;
};

/// One parameter of a fused update: all tensors share shape and dtype.
struct AdamSlot {
  Tensor p, g, m, v;
};
struct SgdSlot {
  Tensor p, g, v;
};

}  // namespace sagcl::ops
