#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "engine/devices/device_runtime.h"

namespace sagcl::engine {

/// Bytes, as the allocator sees them.
struct MemoryStatistics {
  std::size_t in_use = 0;       ///< held by live tensors
  std::size_t peak = 0;         ///< highest in_use since the last reset_peak()
  std::size_t cached = 0;       ///< kept for reuse
  std::size_t requests = 0;     ///< allocations served so far
  std::size_t from_device = 0;  ///< of those, the ones the device had to serve
};

/// Hears of every block that is handed out and comes back, from the thread that asks, one at a time.
class AllocationListener {
 public:
  virtual ~AllocationListener() = default;
  virtual void allocated(void* memory, std::size_t bytes) = 0;
  virtual void released(void* memory) = 0;
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
  void listen(AllocationListener* listener);  ///< from now on; nullptr: nobody. It must not allocate here
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
  void* hand_out(void* memory, std::size_t size);
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
  AllocationListener* listener_ = nullptr;
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

}  // namespace sagcl::engine
