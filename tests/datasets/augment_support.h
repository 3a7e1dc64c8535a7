#pragma once
#include "engine/tensor.h"

// Images to cut, move and change.

namespace sagcl::tests {

using engine::Shape;
using engine::Tensor;

inline Tensor counting(const Shape& shape) {
  Tensor t = Tensor::empty(shape);
  for (std::int64_t i = 0; i < t.size(); ++i) t.data<float>()[i] = float(i + 1);
  return t;
}

/// Images and segmentations of which no two voxels are alike.
inline Tensor scattered(const Shape& shape, engine::Dtype dtype = engine::Dtype::f32) {
  Tensor t = Tensor::empty(shape);
  for (std::int64_t i = 0; i < t.size(); ++i) t.data<float>()[i] = float(i * 37 % 101);
  return t.to(dtype);
}

}  // namespace sagcl::tests
