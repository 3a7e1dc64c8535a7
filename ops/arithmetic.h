#pragma once
#include "autograd/tape.h"

namespace sagcl::ops {

using autograd::Tensor;
using autograd::Variable;

// Element by element on equal shapes; ShapeError otherwise: nothing is broadcast.
Variable add(const Variable& a, const Variable& b);
Variable subtract(const Variable& a, const Variable& b);
Variable multiply(const Variable& a, const Variable& b);
Variable divide(const Variable& a, const Variable& b);

Variable scale(const Variable& x, double factor);          ///< y = factor x
Variable scale(const Variable& x, const Tensor& factor);   ///< the same; f64 [1] on x's device, a constant
Variable add_scalar(const Variable& x, double term);       ///< y = x + term
Variable convert(const Variable& x, engine::Dtype dtype);  ///< y = x in f32, f64 or bf16; x itself if it is so
Tensor converted(const Tensor& x, engine::Dtype dtype);    ///< the same on x's device, of constants
Variable exp(const Variable& x);
Variable log(const Variable& x);  ///< natural
Variable sqrt(const Variable& x);
Variable square(const Variable& x);

}  // namespace sagcl::ops
