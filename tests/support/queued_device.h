#pragma once
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>

#include "engine/devices/device_registry.h"
#include "engine/devices/device_runtime.h"

namespace sagcl::tests {

/// A device in main memory that does its work late and its copies either as early or as late as the order asked for
/// allows, so that a wait that was forgotten gives wrong values. Fresh memory holds 0xee.
class QueuedDevice final : public engine::DeviceRuntime, public engine::CopyQueue {
 public:
  enum class Copies { early, late };
  explicit QueuedDevice(Copies when) : when_(when) {}

  void* allocate(std::size_t bytes) override { return std::memset(std::malloc(bytes), 0xee, bytes); }
  void release(void* memory) override {
    synchronize();
    std::free(memory);
  }
  Room room() const override { return {}; }
  void copy_from_host(void* to, const void* from, std::size_t n) override { copy_within(to, from, n), synchronize(); }
  void copy_to_host(void* to, const void* from, std::size_t n) override { copy_within(to, from, n), synchronize(); }
  void copy_within(void* to, const void* from, std::size_t n) override {
    work_.add([=] { std::memcpy(to, from, n); });
  }
  void zero(void* memory, std::size_t n) override {
    work_.add([=] { std::memset(memory, 0, n); });
  }
  void synchronize() override { work_.run_until(work_.asked); }
  void fill(void*, double, engine::Dtype, std::int64_t) override {}
  void add_into(void*, const void*, engine::Dtype, std::int64_t) override {}
  engine::CopyQueue* copy_queue() override { return this; }

  engine::MemorySource& pinned() override { return pinned_; }
  void copy(void* to, const void* from, std::size_t n) override {
    copies_.add([=] { std::memcpy(to, from, n); });
    if (when_ == Copies::early) copies_.run_until(copies_.asked);
  }
  Mark mark() override { return std::make_shared<std::int64_t>(copies_.asked); }
  void after_work() override {
    copies_.add([this, position = work_.asked] { work_.run_until(position); });
  }
  void before_work(const Mark& mark) override {
    work_.add([this, mark] { wait(mark); });
  }
  void wait(const Mark& mark) override { copies_.run_until(*static_cast<const std::int64_t*>(mark.get())); }

 private:
  struct Queue {
    std::deque<std::function<void()>> tasks;
    std::int64_t asked = 0, done = 0;
    void add(std::function<void()> task) { tasks.push_back(std::move(task)), ++asked; }
    void run_until(std::int64_t position) {
      while (done < position) {
        const auto task = std::move(tasks.front());
        tasks.pop_front();
        ++done;
        task();
      }
    }
  };
  struct Pinned final : engine::MemorySource {
    void* allocate(std::size_t bytes) override { return std::malloc(bytes); }
    void release(void* memory) override { std::free(memory); }
    Room room() const override { return {}; }
  };
  const Copies when_;
  Queue work_, copies_;
  Pinned pinned_;
};

/// A QueuedDevice for tensors, one of each kind per program.
inline engine::Device queued_device(QueuedDevice::Copies copies) {
  const engine::Device place = engine::Device::cuda(copies == QueuedDevice::Copies::early ? 50 : 51);
  if (!engine::is_registered(place)) engine::register_device(place, *new QueuedDevice(copies));
  return place;
}

}  // namespace sagcl::tests
