#pragma once
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "engine/place.h"
#include "engine/ranges.h"

namespace sagcl::engine {

/// What a device must offer for tensors to live on it. The CPU's is built in; a plugin registers another.
class DeviceRuntime {
 public:
  virtual ~DeviceRuntime() = default;
  virtual void* allocate(std::size_t bytes) = 0;  ///< 64-byte aligned; nullptr when the device has no room
  virtual void release(void* memory) = 0;
  // Copies of zero bytes are allowed, from and to nullptr too.
  virtual void copy_from_host(void* device, const void* host, std::size_t bytes) = 0;
  virtual void copy_to_host(void* host, const void* device, std::size_t bytes) = 0;  ///< waits for the device
  virtual void copy_within(void* to, const void* from, std::size_t bytes) = 0;
  virtual void zero(void* memory, std::size_t bytes) = 0;
  virtual void synchronize() = 0;
  virtual void add_into(void* sum, const void* term, Dtype dtype, std::int64_t n) = 0;  ///< sum += term, f32 or f64
};

/// Bytes, as the allocator sees them.
struct MemoryStatistics {
  std::size_t in_use = 0;     ///< held by live tensors
  std::size_t peak = 0;       ///< highest in_use since the last reset_peak()
  std::size_t cached = 0;     ///< kept for reuse
  std::size_t requests = 0;   ///< allocations served so far
  std::size_t from_device = 0;///< of those, the ones the device had to serve
};

/// Keeps released blocks and hands them out again, best fit, wasting at most an eighth of a block (fresh pages cost a
/// third of a training step on the CPU, a device synchronisation on the GPU). On failure it empties its cache and
/// tries again, then throws OutOfMemory with its statistics and the name of the operation. Safe to call from any thread.
class CachingAllocator {
 public:
  explicit CachingAllocator(DeviceRuntime& runtime, std::string device_name);
  ~CachingAllocator();
  CachingAllocator(const CachingAllocator&) = delete;

  void* allocate(std::size_t bytes);
  void release(void* memory);
  void empty_cache();
  MemoryStatistics statistics() const;
  void reset_peak();

 private:
  void* reuse(std::size_t bytes);
  DeviceRuntime& runtime_;
  std::string device_name_;
  mutable std::mutex mutex_;
  std::multimap<std::size_t, void*> free_;               // size -> block
  std::unordered_map<void*, std::size_t> live_;          // block -> size
  MemoryStatistics statistics_;
};

/// Makes a device usable. Called once by a plugin; the runtime must outlive every tensor on it.
void register_device(Device device, DeviceRuntime& runtime);
bool is_registered(Device device);
DeviceRuntime& runtime(Device device);       ///< DeviceError with the reason when the device is not there
CachingAllocator& allocator(Device device);

/// Names the running operation in out-of-memory errors, and as a Range to listeners, until the end of the scope.
class OperationName {
 public:
  explicit OperationName(const char* name);
  ~OperationName();
  static const char* current();
 private:
  const char* outer_;
  Range range_;
};

/// A block of device memory, returned to its allocator with its last owner.
class Buffer {
 public:
  Buffer(Device device, std::size_t bytes);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
 private:
  CachingAllocator& allocator_;
  std::size_t bytes_;
  void* data_;
};

}  // namespace sagcl::engine
