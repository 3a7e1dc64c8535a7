#pragma once
// Runs CUDA kernels on a CPU, to test them where there is no GPU: as fibers, whose order shows a missing barrier in the
// result, or with SAGCL_EMULATOR_THREADS as threads, under ThreadSanitizer, which shows it whatever the result. Offered is
// what our kernels use: blocks, static shared memory, __syncthreads, atomicInc, and atomicAdd of integers. Include this
// before a kernel header.
#include <array>
#include <cmath>
#include <cstdint>

#define __global__
#define __device__
#define __host__
#define __launch_bounds__(...)
#define __grid_constant__
#define __shared__ static  // one block runs at a time

struct float4 {
  float x, y, z, w;
};

#ifdef SAGCL_EMULATOR_THREADS
#include "tests/cuda/emulated_threads.h"
#else
#include "tests/cuda/emulated_fibers.h"
#endif

inline void __syncthreads() { emulator::Block::current().barrier(); }
inline void __threadfence() {}
inline unsigned atomicInc(unsigned* at, unsigned last) {
  unsigned before = __atomic_load_n(at, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(at, &before, before >= last ? 0 : before + 1, true, __ATOMIC_ACQ_REL,
                                      __ATOMIC_RELAXED)) {}
  return before;
}
inline int atomicAdd(int* sum, int term) { return __atomic_fetch_add(sum, term, __ATOMIC_RELAXED); }
