#pragma once
#include <cstdint>

#include "engine/devices/buffer.h"
#include "ops/cuda/runtime/stream.h"

namespace sagcl::ops::cuda {

/// Device memory for n values of T, for the time of a scope.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t n) : buffer_(device(), std::size_t(n > 0 ? n : 1) * sizeof(T)) {}
  T* data() const { return static_cast<T*>(buffer_.data()); }

 private:
  engine::Buffer buffer_;
};

}  // namespace sagcl::ops::cuda
