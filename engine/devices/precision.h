#pragma once
#include <string>

namespace sagcl::engine {

/// Arithmetic of convolutions on f32 tensors: exact products (fp32), products of operands rounded to 10 bits of mantissa
/// (tf32: what GPU frameworks do by default) or to 7 bits (bf16). Tensors, and with them weights, statistics and losses, and
/// all sums are f32 always. The CPU has units for f32 products alone.
enum class Precision { fp32, tf32, bf16 };
Precision precision();  ///< as set last, by resolve_device() too; fp32 before
void set_precision(Precision precision);
Precision precision_from(const std::string& name);  ///< "fp32", "tf32", "bf16"; UsageError for any other
std::string to_string(Precision precision);

}  // namespace sagcl::engine
