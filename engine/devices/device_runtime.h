#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "engine/place.h"

namespace sagcl::engine {

/// Where an allocator gets its blocks.
class MemorySource {
 public:
  /// bytes; free: what all programs together leave
  struct Room {
    std::size_t free = 0, total = 0;
  };
  virtual ~MemorySource() = default;
  virtual void* allocate(std::size_t bytes) = 0;  ///< 64-byte aligned; nullptr when there is no room
  virtual void release(void* memory) = 0;
  virtual Room room() const = 0;
};

/// A device's second queue of work: copies from the host that run beside the first. Only Upload uses it
/// (engine/devices/upload.h).
class CopyQueue {
 public:
  using Mark = std::shared_ptr<void>;  ///< a point in the queue
  virtual ~CopyQueue() = default;
  virtual MemorySource& pinned() = 0;  ///< host memory that copy() reads without a detour
  virtual void copy(void* device, const void* pinned, std::size_t bytes) = 0;
  virtual Mark mark() = 0;                         ///< behind the copies asked for so far
  virtual void after_work() = 0;                   ///< later copies begin when the work asked for so far is done
  virtual void before_work(const Mark& mark) = 0;  ///< later work begins when the queue has reached the mark
  virtual void wait(const Mark& mark) = 0;         ///< the host waits until it has
};

/// Work that a device was asked for once and does again at every run(), on the same memory. It needs that memory to stay
/// its own: see Arena (engine/devices/allocator.h).
class Recording {
 public:
  virtual ~Recording() = default;
  virtual void run() = 0;
};

/// What a device must offer for tensors to live on it. The CPU's is built in; a plugin registers another.
class DeviceRuntime : public MemorySource {
 public:
  // Copies of zero bytes are allowed, from and to nullptr too.
  virtual void copy_from_host(void* device, const void* host, std::size_t bytes) = 0;  ///< `host` has been read on return
  virtual void copy_to_host(void* host, const void* device, std::size_t bytes) = 0;    ///< waits for the device
  virtual void copy_within(void* to, const void* from, std::size_t bytes) = 0;
  virtual void zero(void* memory, std::size_t bytes) = 0;
  virtual void fill(void* memory, double value, Dtype dtype, std::int64_t n) = 0;
  virtual void synchronize() = 0;
  virtual void add_into(void* sum, const void* term, Dtype dtype, std::int64_t n) = 0;  ///< sum += term, f32, f64 or bf16
  virtual CopyQueue* copy_queue() { return nullptr; }  ///< nullptr where copies cannot run beside the work
  /// Calls `work` and keeps what it asks of the device instead of doing it; copies from or to the host are a BackendError
  /// then. nullptr, and `work` is not called, where the device cannot.
  virtual std::unique_ptr<Recording> record(const std::function<void()>& /*work*/) { return nullptr; }
};

}  // namespace sagcl::engine
