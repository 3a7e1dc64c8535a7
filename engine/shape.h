#pragma once
#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "engine/error.h"

namespace sagcl::engine {

/// The extents of a tensor, outermost first. A plain value of up to six axes; rank 0 is a scalar.
class Shape {
 public:
  static constexpr int max_rank = 6;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> extents) : Shape(std::span(extents.begin(), extents.size())) {}
  explicit Shape(std::span<const std::int64_t> extents) {
    require(extents.size() <= max_rank, "shape has {} axes, at most {} are supported", extents.size(), int(max_rank));
    for (std::int64_t extent : extents) {
      require(extent >= 0, "shape has a negative extent {}", extent);
      extents_[rank_++] = extent;
    }
  }

  int rank() const { return rank_; }
  std::int64_t operator[](int axis) const { return extents_[axis < 0 ? axis + rank_ : axis]; }
  std::int64_t back() const { return extents_[rank_ - 1]; }

  /// Number of elements; 1 for a scalar. Throws ShapeError where the product exceeds 2^62.
  std::int64_t size() const {
    std::int64_t n = 1;
    for (int a = 0; a < rank_; ++a)
      require(!__builtin_mul_overflow(n, extents_[a], &n) && n < (std::int64_t(1) << 62), "shape has too many elements");
    return n;
  }

  /// The same shape with axis `a` of another extent.
  Shape with(int axis, std::int64_t extent) const {
    Shape s = *this;
    s.extents_[axis < 0 ? axis + rank_ : axis] = extent;
    return s;
  }

  const std::int64_t* begin() const { return extents_.data(); }
  const std::int64_t* end() const { return extents_.data() + rank_; }
  bool operator==(const Shape&) const = default;

 private:
  std::array<std::int64_t, max_rank> extents_{};
  int rank_ = 0;
};

std::string to_string(const Shape& shape);  ///< "[2, 3, 4]"

}  // namespace sagcl::engine

template <>
struct fmt::formatter<sagcl::engine::Shape> : fmt::formatter<std::string> {
  auto format(const sagcl::engine::Shape& s, fmt::format_context& c) const {
    return fmt::formatter<std::string>::format(sagcl::engine::to_string(s), c);
  }
};
