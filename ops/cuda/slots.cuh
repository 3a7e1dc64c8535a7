#pragma once
// One kernel over many tensors: a network has a hundred parameters, most of them small.
#include "ops/cuda/loops.cuh"

namespace sagcl::ops::cuda {

constexpr int most_slots = 400;
constexpr std::int64_t block_elements = 4 * block_threads;

/// Pointers of up to four tensors per slot, and the block at which each slot begins. Travels as a kernel argument.
template <int tensors>
struct SlotTable {
  void* at[most_slots][tensors];
  int size[most_slots];
  int first_block[most_slots + 1];
  int slots = 0;
};

/// f(pointers of the slot, i) for every element of every slot; nothing where f.load() is false.
template <int tensors, class F>
__global__ void __launch_bounds__(block_threads) slots_kernel(const __grid_constant__ SlotTable<tensors> table, F f) {
  if (!f.load()) return;
  int low = 0, high = table.slots;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (int(blockIdx.x) >= table.first_block[middle]) low = middle;
    else high = middle;
  }
  const int begin = (int(blockIdx.x) - table.first_block[low]) * int(block_elements) + int(threadIdx.x), n = table.size[low];
#pragma unroll
  for (int k = 0; k < 4; ++k)
    if (const int i = begin + k * block_threads; i < n) f(table.at[low], i);
}

}  // namespace sagcl::ops::cuda
