#pragma once
// A block whose threads are fibers: each runs until its next barrier, in an order that the test chooses. A kernel whose
// result depends on it lacks a barrier. A part of emulator.h.
#include <ucontext.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <random>
#include <stdexcept>
#include <vector>

#include "tests/cuda/emulated_index.h"

namespace emulator {

/// The block that is running.
class Block {
 public:
  static Block& current() {
    static Block block;
    return block;
  }

  /// Runs `body` in every thread of every block of a one-dimensional launch.
  void launch(unsigned blocks, unsigned threads, Order order, const std::function<void()>& body) {
    grid_dim.x = blocks, block_dim.x = threads;
    body_ = body;
    fibers_.resize(threads);
    std::vector<std::size_t> turn(threads), block_turn(blocks);
    std::iota(turn.begin(), turn.end(), std::size_t(0));
    std::iota(block_turn.begin(), block_turn.end(), std::size_t(0));
    std::mt19937 random(5);
    if (order == Order::backward) std::reverse(turn.begin(), turn.end()), std::reverse(block_turn.begin(), block_turn.end());
    if (order == Order::shuffled) std::shuffle(block_turn.begin(), block_turn.end(), random);
    for (const std::size_t block : block_turn) {
      block_idx.x = unsigned(block);
      if (order == Order::shuffled) std::shuffle(turn.begin(), turn.end(), random);
      for (Fiber& f : fibers_) start(f);
      while (run_to_barrier(turn)) {}
    }
  }

  void barrier() { leave(State::waiting); }

  Index3 thread_idx, block_idx, block_dim, grid_dim;

 private:
  enum class State { ready, waiting, done };
  struct Fiber {
    ucontext_t context;
    std::vector<char> stack = std::vector<char>(128 * 1024);
    State state = State::ready;
  };

  void start(Fiber& f) {
    getcontext(&f.context);
    f.context.uc_stack.ss_sp = f.stack.data();
    f.context.uc_stack.ss_size = f.stack.size();
    f.context.uc_link = &scheduler_;
    f.state = State::ready;
    makecontext(&f.context, &Block::enter, 0);
  }
  static void enter() {
    current().body_();
    current().leave(State::done);
  }
  void leave(State state) {
    Fiber& f = fibers_[running_];
    f.state = state;
    swapcontext(&f.context, &scheduler_);
  }

  /// Runs every thread up to its next barrier; false when all are done. As on a GPU, all or none must arrive.
  bool run_to_barrier(const std::vector<std::size_t>& turn) {
    for (std::size_t t : turn) {
      running_ = t;
      thread_idx.x = unsigned(t);
      if (fibers_[t].state == State::ready) swapcontext(&scheduler_, &fibers_[t].context);
    }
    const auto waiting =
        std::size_t(std::count_if(fibers_.begin(), fibers_.end(), [](const Fiber& f) { return f.state == State::waiting; }));
    if (waiting != 0 && waiting != fibers_.size())
      throw std::logic_error("a barrier was reached by a part of the block only");
    for (Fiber& f : fibers_)
      if (f.state == State::waiting) f.state = State::ready;
    return waiting != 0;
  }

  ucontext_t scheduler_;
  std::vector<Fiber> fibers_;
  std::size_t running_ = 0;
  std::function<void()> body_;
};

}  // namespace emulator

#define threadIdx emulator::Block::current().thread_idx
#define blockIdx emulator::Block::current().block_idx
#define blockDim emulator::Block::current().block_dim
#define gridDim emulator::Block::current().grid_dim
