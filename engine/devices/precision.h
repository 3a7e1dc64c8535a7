#pragma once
#include <string>

namespace sagcl::engine {

/// Arithmetic of convolutions: exact products (fp32), products of operands rounded to 10 bits of mantissa (tf32: what GPU
/// frameworks do by default), or bf16: activations between a network's layers and their gradients are stored in bf16 and
/// multiplied as they are, with weights rounded likewise; what is still f32 is multiplied in tf32. Weights, statistics,
/// logits and losses, and the sums of all products are f32 always; cuDNN may round the gradient of a weight. A CPU
/// multiplies in f32; under bf16 it widens what it reads, which is slower and shows what a GPU computes, up to the order of
/// sums.
enum class Precision { fp32, tf32, bf16 };
Precision precision();  ///< as set last, by resolve_device() too; fp32 before
void set_precision(Precision precision);
Precision precision_from(const std::string& name);  ///< "fp32", "tf32", "bf16"; UsageError for any other
std::string to_string(Precision precision);

}  // namespace sagcl::engine
