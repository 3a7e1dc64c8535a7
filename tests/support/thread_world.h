#pragma once
#include <barrier>
#include <cstring>
#include <exception>
#include <functional>
#include <thread>
#include <vector>

#include "engine/processes/communicator.h"

namespace sagcl::tests {

/// Processes played by threads of one: what trains in several processes, tested without any.
class ThreadWorld {
 public:
  explicit ThreadWorld(int size) : size_(size), places_(std::size_t(size)), barrier_(size) {}

  /// f(communicator) on every thread; throws again what the first of them to fail has thrown.
  void run(const std::function<void(engine::Communicator&)>& f) {
    std::vector<std::exception_ptr> failures(static_cast<std::size_t>(size_));
    std::vector<std::thread> threads;
    for (int r = 0; r < size_; ++r)
      threads.emplace_back([&, r] {
        Member member(*this, r);
        try {
          f(member);
        } catch (...) { failures[std::size_t(r)] = std::current_exception(); }
        barrier_.arrive_and_drop();
      });
    for (std::thread& t : threads) t.join();
    for (const auto& failure : failures)
      if (failure) std::rethrow_exception(failure);
  }

 private:
  class Member final : public engine::Communicator {
   public:
    Member(ThreadWorld& world, int rank) : world_(world), rank_(rank) {}
    int rank() const override { return rank_; }
    int size() const override { return world_.size_; }
    int local_rank() const override { return rank_; }
    int local_size() const override { return world_.size_; }
    void all_gather(void* all, std::size_t bytes, engine::Device) override {
      exchange(all, [&](int r, char* theirs) {
        if (r != rank_) copy(static_cast<char*>(all) + std::size_t(r) * bytes, theirs + std::size_t(r) * bytes, bytes);
      });
    }
    void all_to_all(const void* send, void* receive, std::size_t bytes, engine::Device) override {
      exchange(const_cast<void*>(send), [&](int r, char* theirs) {
        copy(static_cast<char*>(receive) + std::size_t(r) * bytes, theirs + std::size_t(rank_) * bytes, bytes);
      });
    }
    void abort(int code) override { std::_Exit(code); }

   private:
    static void copy(char* to, const char* from, std::size_t bytes) {
      if (bytes) std::memcpy(to, from, bytes);
    }
    template <class F>
    void exchange(void* mine, F&& take) {
      world_.places_[std::size_t(rank_)] = static_cast<char*>(mine);
      world_.barrier_.arrive_and_wait();
      for (int r = 0; r < size(); ++r) take(r, world_.places_[std::size_t(r)]);
      world_.barrier_.arrive_and_wait();
    }
    ThreadWorld& world_;
    int rank_;
  };

  int size_;
  std::vector<char*> places_;
  std::barrier<> barrier_;
};

}  // namespace sagcl::tests
