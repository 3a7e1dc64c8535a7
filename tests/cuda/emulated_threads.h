#pragma once
// A block whose threads are threads: ThreadSanitizer then sees every access that no barrier orders. A part of emulator.h.
#include <pthread.h>

#include <functional>
#include <thread>
#include <vector>

#include "tests/cuda/emulated_index.h"

namespace emulator {

inline thread_local Index3 thread_idx, block_idx, block_dim, grid_dim;

class Block {
 public:
  static Block& current() {
    static Block block;
    return block;
  }

  /// Blocks run one after another, as they share nothing but memory; the order of threads is the machine's.
  void launch(unsigned blocks, unsigned threads, Order, const std::function<void()>& body) {
    for (pthread_barrier_t& b : barriers_) pthread_barrier_init(&b, nullptr, threads);
    std::vector<std::thread> all;
    for (unsigned t = 0; t < threads; ++t)
      all.emplace_back([&, t] {
        phase_ = 0;
        thread_idx.x = t, block_dim.x = threads, grid_dim.x = blocks;
        for (unsigned b = 0; b < blocks; ++b) {
          block_idx.x = b;
          body();
          barrier();
        }
      });
    for (std::thread& t : all) t.join();
    for (pthread_barrier_t& b : barriers_) pthread_barrier_destroy(&b);
  }

  /// Two in turn: through one alone ThreadSanitizer takes later accesses of one thread for ordered behind another's.
  void barrier() { pthread_barrier_wait(&barriers_[phase_++ & 1]); }

 private:
  pthread_barrier_t barriers_[2];
  static inline thread_local unsigned phase_ = 0;
};

}  // namespace emulator

#define threadIdx emulator::thread_idx
#define blockIdx emulator::block_idx
#define blockDim emulator::block_dim
#define gridDim emulator::grid_dim
