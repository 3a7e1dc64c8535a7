#pragma once
// What the tests of the GPU's own kernels on the emulator share. Include this before a kernel header.
#include "tests/cuda/emulator.h"

#include <gtest/gtest.h>

#include <iterator>

#include "engine/random.h"
#include "ops/cuda/loops.cuh"

namespace sagcl::ops::cuda {

using emulator::Order;

#ifdef SAGCL_EMULATOR_THREADS
inline constexpr Order orders[] = {Order::forward};  // threads take their own
#else
inline constexpr Order orders[] = {Order::forward, Order::backward, Order::shuffled};
#endif
inline constexpr bool several_orders = std::size(orders) > 1;

template <class F>
void launch(std::int64_t blocks, Order order, F kernel) {
  emulator::Block::current().launch(unsigned(blocks), block_threads, order, kernel);
}

inline std::vector<float> noise(std::int64_t n, double offset, const char* name) {
  engine::Generator random(2, name);
  std::vector<float> values(static_cast<std::size_t>(n));
  for (float& v : values) v = float(offset + random.normal());
  return values;
}

}  // namespace sagcl::ops::cuda
