#pragma once
#include <string>

/// Convolution on the CPU, channels-last. The caller has checked shapes, dtypes and devices.
///
/// f64 is computed by definition (ops/kernels/conv_reference.inl). f32 is computed by our own SIMD kernels, built for
/// several instruction sets and chosen when the program runs (ops/cpu/README.md). The environment variable SAGCL_CONV,
/// read once, selects another path for f32 to compare with: `own` (default), parts of it alone, `direct`, or `winograd2` or
/// `winograd4` wherever they apply, `onednn`, or `reference`. Every path but `onednn` returns the same bits for any number
/// of threads; those of our own kernels belong to one instruction set.
namespace sagcl::ops::cpu {

/// "own kernels, avx512": the path and the instruction set that f32 convolutions take on this machine.
std::string conv_description();

}  // namespace sagcl::ops::cpu
