#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include "engine/bf16.h"
#include "engine/error.h"

namespace sagcl::engine {

/// Element types: f32 trains, f64 checks gradients, bf16 stores activations, i32 and u8 hold labels and indices.
enum class Dtype : std::uint8_t { f32, f64, bf16, i32, u8 };

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

constexpr std::size_t bytes_of(Dtype d) {
  switch (d) {
    case Dtype::f64: return 8;
    case Dtype::f32:
    case Dtype::i32: return 4;
    case Dtype::bf16: return 2;
    case Dtype::u8: return 1;
  }
  return 0;
}
/// What is computed with values of that type: f32 for bf16. Parameters and statistics beside them are of this type.
constexpr Dtype computed_in(Dtype d) { return d == Dtype::bf16 ? Dtype::f32 : d; }
std::string to_string(Dtype d);   ///< "f32"
std::string to_string(Device d);  ///< "cpu", "cuda:0"

template <class T>
inline constexpr Dtype dtype_of = [] { static_assert(sizeof(T) == 0, "no tensor holds this type"); }();
template <>
inline constexpr Dtype dtype_of<float> = Dtype::f32;
template <>
inline constexpr Dtype dtype_of<double> = Dtype::f64;
template <>
inline constexpr Dtype dtype_of<bf16> = Dtype::bf16;
template <>
inline constexpr Dtype dtype_of<std::int32_t> = Dtype::i32;
template <>
inline constexpr Dtype dtype_of<std::uint8_t> = Dtype::u8;

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

/// The same for all types of real numbers, bf16 too.
template <class F>
decltype(auto) visit_real(Dtype d, F&& f) {
  return d == Dtype::bf16 ? f(Type<bf16>{}) : visit_float(d, f);
}

/// Calls f(Type<T>{}) for the C++ type of any dtype.
template <class F>
decltype(auto) visit_any(Dtype d, F&& f) {
  switch (d) {
    case Dtype::i32: return f(Type<std::int32_t>{});
    case Dtype::u8: return f(Type<std::uint8_t>{});
    default: return visit_real(d, f);
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
