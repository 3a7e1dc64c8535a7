#pragma once
#include "ops/cpu/kernels.h"

namespace sagcl::ops::cpu {

#if defined(__x86_64__)
template <class F>
__attribute__((flatten, noinline, target("avx2,fma"))) void with_avx2(const F& f) {
  f();
}
template <class F>
__attribute__((flatten, noinline, target("avx2,fma,avx512f,avx512dq,avx512vl,avx512bw,prefer-vector-width=512"))) void
with_avx512(const F& f) {
  f();
}
#endif

/// Runs f(), compiled for the instruction set that kernels() uses. Everything f calls is compiled into it, so a plain loop
/// inside becomes a vector loop of that width; f must therefore hold one loop's worth of code and start no threads. The loop
/// had best stand in a function with pointers and numbers for arguments: what f captured must be read anew after each store.
///
/// Every instruction set computes the same bits: nothing is contracted (cmake/settings.cmake), and no sum's order may depend
/// on the width of a vector. ops/cpu/README.md says which results are equal.
template <class F>
void vectorised(const F& f) {
#if defined(__x86_64__)
  if (kernels().lanes == 16) return with_avx512(f);
  if (kernels().lanes == 8) return with_avx2(f);
#endif
  f();
}

}  // namespace sagcl::ops::cpu
