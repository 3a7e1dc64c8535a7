#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include "engine/error.h"

namespace sagcl::engine {

/// Element types: f32 trains, f64 checks gradients, i32 and u8 hold labels and indices.
enum class Dtype : std::uint8_t { f32, f64, i32, u8 };

/// Where a tensor lives. CUDA devices are counted from 0.
struct Device {
  enum class Kind : std::uint8_t { cpu, cuda };
  Kind kind = Kind::cpu;
  int index = 0;
  static constexpr Device cpu() { return {}; }
  static constexpr Device cuda(int index = 0) { return {Kind::cuda, index}; }
  bool is_cpu() const { return kind == Kind::cpu; }
  bool operator==(const Device&) const = default;
};

constexpr std::size_t bytes_of(Dtype d) { return d == Dtype::f64 ? 8 : d == Dtype::u8 ? 1 : 4; }
std::string to_string(Dtype d);   ///< "f32"
std::string to_string(Device d);  ///< "cpu", "cuda:0"

template <class T>
inline constexpr Dtype dtype_of = std::is_same_v<T, float>          ? Dtype::f32
                                  : std::is_same_v<T, double>       ? Dtype::f64
                                  : std::is_same_v<T, std::int32_t> ? Dtype::i32
                                                                    : Dtype::u8;

/// A type as a value, for the visitors below.
template <class T>
struct Type {
  using type = T;
};

/// Calls f(Type<float>{}) or f(Type<double>{}) to match a run-time dtype; DtypeError for any other.
template <class F>
decltype(auto) visit_float(Dtype d, F&& f) {
  if (d == Dtype::f32) return f(Type<float>{});
  if (d == Dtype::f64) return f(Type<double>{});
  throw DtypeError("expected a floating-point tensor, got " + to_string(d));
}

/// Calls f(Type<T>{}) for the C++ type of any dtype.
template <class F>
decltype(auto) visit_any(Dtype d, F&& f) {
  switch (d) {
    case Dtype::f32: return f(Type<float>{});
    case Dtype::f64: return f(Type<double>{});
    case Dtype::i32: return f(Type<std::int32_t>{});
    default: return f(Type<std::uint8_t>{});
  }
}

}  // namespace sagcl::engine

template <>
struct fmt::formatter<sagcl::engine::Dtype> : fmt::formatter<std::string> {
  auto format(sagcl::engine::Dtype d, fmt::format_context& c) const {
    return fmt::formatter<std::string>::format(sagcl::engine::to_string(d), c);
  }
};
template <>
struct fmt::formatter<sagcl::engine::Device> : fmt::formatter<std::string> {
  auto format(sagcl::engine::Device d, fmt::format_context& c) const {
    return fmt::formatter<std::string>::format(sagcl::engine::to_string(d), c);
  }
};
