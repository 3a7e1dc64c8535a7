#pragma once
#include "engine/parallel.h"
#include "ops/checks.h"

namespace sagcl::ops::checks {

/// Labels of the voxels of x [.., C]: i32, x's shape without its last axis, on its device, each in [0, C) or -1 (not
/// counted). The range is read on the CPU only; elsewhere it would wait for the device.
inline void labels(const char* op, const Variable& x, const Tensor& labels) {
  defined(op, "the first operand", x);
  floating(op, x.value());
  require<engine::UsageError>(labels.defined(), "{}: labels are undefined", op);
  require<engine::DtypeError>(labels.dtype() == engine::Dtype::i32, "{}: labels must be i32, got {}", op, labels.dtype());
  require<engine::DeviceError>(labels.device() == x.value().device(),
                               "{}: labels are on {}, the voxels on {}; move one with to(device)", op, labels.device(),
                               x.value().device());
  const autograd::Shape& shape = x.shape();
  require(shape.rank() >= 1 && shape.back() >= 1, "{}: a last axis with one entry per class is needed, got {}", op, shape);
  require(labels.shape() == autograd::Shape(std::span(shape.begin(), std::size_t(shape.rank() - 1))),
          "{}: voxels {} need labels of their shape without the last axis, got {}", op, shape, labels.shape());
  if (!labels.device().is_cpu()) return;
  const std::int32_t* label = labels.data<std::int32_t>();
  const std::int64_t classes = shape.back();
  const auto outside = [&](std::int64_t i) { return label[i] < -1 || label[i] >= classes; };
  if (engine::parallel_sum<std::int64_t>(labels.size(), outside) == 0) return;
  for (std::int64_t i = 0; i < labels.size(); ++i)
    require<engine::UsageError>(!outside(i), "{}: label {} at position {} is neither in [0, {}) nor -1", op, label[i], i,
                                classes);
}

}  // namespace sagcl::ops::checks
