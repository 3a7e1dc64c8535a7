#pragma once
// Checks that many operations share. Each names the operation, the rule and everything that broke it.
#include "autograd/tape.h"

namespace sagcl::ops::checks {

using autograd::Tensor;
using autograd::Variable;
using engine::require;

inline void defined(const char* op, const char* name, const Variable& v) {
  require<engine::UsageError>(v.defined(), "{}: {} is an undefined value", op, name);
}

inline void floating(const char* op, const Tensor& t) {
  require<engine::DtypeError>(t.dtype() == engine::Dtype::f32 || t.dtype() == engine::Dtype::f64,
                              "{}: needs f32 or f64, got {} of shape {}", op, t.dtype(), t.shape());
}

/// What may be stored in half of the bits between the layers of a network.
inline void activation(const char* op, const Tensor& t) {
  if (t.dtype() != engine::Dtype::bf16) floating(op, t);
}

/// Both live on one device and have one dtype.
inline void same_kind(const char* op, const char* a_name, const Tensor& a, const char* b_name, const Tensor& b) {
  require<engine::DtypeError>(a.dtype() == b.dtype(), "{}: {} is {} and {} is {}; convert one with to(dtype)", op, a_name,
                              a.dtype(), b_name, b.dtype());
  require<engine::DeviceError>(a.device() == b.device(), "{}: {} is on {} and {} is on {}; move one with to(device)", op,
                               a_name, a.device(), b_name, b.device());
}

inline void same_shape(const char* op, const char* a_name, const Tensor& a, const char* b_name, const Tensor& b) {
  require(a.shape() == b.shape(), "{}: {} has shape {} and {} has shape {}; they must be equal, nothing is broadcast", op,
          a_name, a.shape(), b_name, b.shape());
}

inline void rank(const char* op, const char* name, const Tensor& t, int wanted, const char* axes) {
  require(t.shape().rank() == wanted, "{}: {} should be {}, got shape {}", op, name, axes, t.shape());
}

/// On the device of activations x, in the dtype that they are computed in.
inline void parameter_of(const char* op, const Tensor& x, const char* name, const Tensor& p) {
  require<engine::DtypeError>(p.dtype() == engine::computed_in(x.dtype()),
                              "{}: x is {} and {} is {}, not {}; convert one with to(dtype)", op, x.dtype(), name, p.dtype(),
                              engine::computed_in(x.dtype()));
  require<engine::DeviceError>(x.device() == p.device(), "{}: x is on {} and {} is on {}; move one with to(device)", op,
                               x.device(), name, p.device());
}

/// [n] for n channels of activations x.
inline void per_channel(const char* op, const char* name, const Variable& v, const Tensor& x, std::int64_t n) {
  defined(op, name, v);
  require(v.shape() == autograd::Shape{n}, "{}: {} should have one value per channel, [{}], got shape {}; x is {}", op, name,
          n, v.shape(), x.shape());
  parameter_of(op, x, name, v.value());
}

/// A valid axis of a tensor, counted from the front.
inline int axis(const char* op, const Tensor& t, int a) {
  const int rank = t.shape().rank();
  require(a >= -rank && a < rank, "{}: axis {} of shape {}", op, a, t.shape());
  return a < 0 ? a + rank : a;
}

/// dy itself when nobody else needs it, else room for a result like it.
inline Tensor reuse(Tensor& dy) { return dy.sole_owner() ? dy : Tensor::empty_like(dy); }

}  // namespace sagcl::ops::checks
