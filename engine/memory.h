#pragma once
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "engine/place.h"
#include "engine/ranges.h"

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

/// A device's second queue of work: copies from the host that run beside the first. Only Upload uses it (engine/upload.h).
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
/// its own: see Arena.
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
  virtual void add_into(void* sum, const void* term, Dtype dtype, std::int64_t n) = 0;  ///< sum += term, f32 or f64
  virtual CopyQueue* copy_queue() { return nullptr; }  ///< nullptr where copies cannot run beside the work
  /// Calls `work` and keeps what it asks of the device instead of doing it; copies from or to the host are a BackendError
  /// then. nullptr, and `work` is not called, where the device cannot.
  virtual std::unique_ptr<Recording> record(const std::function<void()>& /*work*/) { return nullptr; }
};

/// Bytes, as the allocator sees them.
struct MemoryStatistics {
  std::size_t in_use = 0;       ///< held by live tensors
  std::size_t peak = 0;         ///< highest in_use since the last reset_peak()
  std::size_t cached = 0;       ///< kept for reuse
  std::size_t requests = 0;     ///< allocations served so far
  std::size_t from_device = 0;  ///< of those, the ones the device had to serve
};

class CachingAllocator;

/// Memory set aside for recorded work. Blocks asked for while a Use of it exists go back to it when they are released,
/// never to anybody else: what the recording writes to is the recording's until the arena ends. One Use at a time.
class Arena {
 public:
  explicit Arena(CachingAllocator& allocator) : allocator_(allocator) {}
  ~Arena();
  Arena(const Arena&) = delete;

  class Use {
   public:
    explicit Use(Arena& arena);
    ~Use();
    Use(const Use&) = delete;

   private:
    CachingAllocator& allocator_;
  };

 private:
  friend class CachingAllocator;
  CachingAllocator& allocator_;
  std::multimap<std::size_t, void*> free_;  // size -> block; they count as in use
};

/// Keeps released blocks and hands them out again, best fit, wasting at most an eighth of a block (fresh pages cost a
/// third of a training step on the CPU, a device synchronisation on the GPU). On failure it empties its cache and
/// tries again, then throws OutOfMemory with its statistics and the name of the operation. Safe to call from any thread.
class CachingAllocator {
 public:
  explicit CachingAllocator(MemorySource& source, std::string place);
  ~CachingAllocator();
  CachingAllocator(const CachingAllocator&) = delete;

  void* allocate(std::size_t bytes);
  void release(void* memory);
  void empty_cache();
  MemoryStatistics statistics() const;
  void reset_peak();
  /// "81079.2 MiB in all, 12.4 free; tensors hold 80123.0 (highest so far 80999.5), 0.0 are kept for reuse"
  std::string describe() const;

 private:
  friend class Arena;
  friend class Sparing;
  using FreeBlocks = std::multimap<std::size_t, void*>;  // size -> block
  struct Block {
    std::size_t size;
    Arena* arena;  // nullptr: nobody's
  };
  static std::pair<std::size_t, void*> take(FreeBlocks& blocks, std::size_t bytes);
  void keep(std::size_t size, void* memory);
  void release_kept();
  std::string describe_locked() const;
  MemorySource& source_;
  std::string place_;
  mutable std::mutex mutex_;
  FreeBlocks free_;
  std::unordered_map<void*, Block> live_;
  Arena* arena_ = nullptr;        // the one in use
  std::size_t slack_ = SIZE_MAX;  // see Sparing
  MemoryStatistics statistics_;
};

/// While it exists, the allocator gives back what it keeps rather than hold, used and kept, over `slack` bytes more than
/// were ever in use. For work whose blocks have many sizes: it would leave several times as much behind as it needs at once.
class Sparing {
 public:
  explicit Sparing(CachingAllocator& allocator, std::size_t slack = std::size_t(256) << 20);
  ~Sparing();
  Sparing(const Sparing&) = delete;

 private:
  CachingAllocator& allocator_;
  std::size_t outer_;
};

/// Makes a device usable. Called once by a plugin; the runtime must outlive every tensor on it.
void register_device(Device device, DeviceRuntime& runtime);
bool is_registered(Device device);
DeviceRuntime& runtime(Device device);  ///< DeviceError with the reason when the device is not there
CachingAllocator& allocator(Device device);
CachingAllocator& pinned_allocator(Device device);  ///< of host memory for its copy queue; the CPU's own where it has none

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

/// A block of memory, returned to its allocator with its last owner.
class Buffer {
 public:
  Buffer(Device device, std::size_t bytes) : Buffer(allocator(device), bytes) {}
  Buffer(CachingAllocator& allocator, std::size_t bytes);
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
