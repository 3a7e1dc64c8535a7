#include "engine/memory.h"

#include <malloc.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <iterator>
#include <utility>

#include "engine/memory_limit.h"
#include "engine/parallel.h"

namespace sagcl::engine {
namespace {

/// Main memory. Large blocks start on a huge page, which saves most of the page faults and TLB misses.
class CpuRuntime final : public DeviceRuntime {
  static constexpr std::size_t huge_page = std::size_t(2) << 20;

 public:
  CpuRuntime() { mallopt(M_MMAP_THRESHOLD, int(huge_page)); }  // so that what is released goes back to the system
  void* allocate(std::size_t bytes) override {
    const std::size_t alignment = bytes >= huge_page ? huge_page : 64;
    void* memory = nullptr;
    if (posix_memalign(&memory, alignment, bytes) != 0) return nullptr;
    if (bytes >= huge_page) madvise(memory, bytes, MADV_HUGEPAGE);
    return memory;
  }
  void release(void* memory) override { std::free(memory); }
  Room room() const override {
    Room room;
    std::ifstream file("/proc/meminfo");  // lines like "MemAvailable:   1234 kB"
    std::string name, unit;
    for (std::size_t kib; file >> name >> kib && std::getline(file, unit);) {
      if (name == "MemTotal:") room.total = kib << 10;
      if (name == "MemAvailable:") room.free = kib << 10;
    }
    std::ifstream groups("/proc/self/cgroup");
    return with_limits(room, std::string(std::istreambuf_iterator<char>(groups), {}));
  }
  void copy_from_host(void* device, const void* host, std::size_t bytes) override { copy_within(device, host, bytes); }
  void copy_to_host(void* host, const void* device, std::size_t bytes) override { copy_within(host, device, bytes); }
  void copy_within(void* to, const void* from, std::size_t bytes) override {
    if (bytes != 0) std::memcpy(to, from, bytes);  // an empty std::vector has no address to give
  }
  void zero(void* memory, std::size_t bytes) override { std::memset(memory, 0, bytes); }
  void fill(void* memory, double value, Dtype dtype, std::int64_t n) override {
    visit_any(dtype, [&]<class T>(Type<T>) { std::fill_n(static_cast<T*>(memory), n, T(value)); });
  }
  void synchronize() override {}
  void add_into(void* sum, const void* term, Dtype dtype, std::int64_t n) override {
    visit_float(dtype, [&]<class T>(Type<T>) {
      T* y = static_cast<T*>(sum);
      const T* x = static_cast<const T*>(term);
      parallel_ranges(n, 1 << 16, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) y[i] += x[i];
      });
    });
  }
};

struct Place {
  DeviceRuntime* runtime;
  std::unique_ptr<CachingAllocator> allocator, pinned;
};

/// Registered devices. Never destroyed: tensors in static storage may outlive everything else.
struct Registry {
  std::mutex mutex;
  std::map<std::string, Place> places;
  Registry() { add(Device::cpu(), *new CpuRuntime); }
  void add(Device device, DeviceRuntime& r) {
    Place& place = places[to_string(device)] = {&r, std::make_unique<CachingAllocator>(r, to_string(device)), nullptr};
    if (CopyQueue* queue = r.copy_queue())
      place.pinned = std::make_unique<CachingAllocator>(queue->pinned(), "the host, pinned for " + to_string(device));
  }
};
Registry& registry() {
  static Registry& r = *new Registry;
  return r;
}

Place& place(Device device) {
  static Place& cpu = registry().places.at("cpu");
  if (device.is_cpu()) return cpu;
  std::lock_guard lock(registry().mutex);
  auto found = registry().places.find(to_string(device));
  require<DeviceError>(found != registry().places.end(), "device {} is not available: no plugin has registered it", device);
  return found->second;
}

thread_local const char* current_operation = "outside any operation";

constexpr std::size_t rounded(std::size_t bytes) { return bytes < 64 ? 64 : (bytes + 63) / 64 * 64; }
constexpr double mebi(std::size_t bytes) { return double(bytes) / (1 << 20); }

}  // namespace

CachingAllocator::CachingAllocator(MemorySource& source, std::string place) : source_(source), place_(std::move(place)) {}

CachingAllocator::~CachingAllocator() { empty_cache(); }

/// The smallest of `blocks` that holds `bytes` and wastes at most an eighth; its size is 0 if there is none.
std::pair<std::size_t, void*> CachingAllocator::take(FreeBlocks& blocks, std::size_t bytes) {
  auto found = blocks.lower_bound(bytes);
  if (found == blocks.end() || found->first > bytes + bytes / 8 + 512) return {0, nullptr};
  const auto block = *found;
  blocks.erase(found);
  return block;
}

void* CachingAllocator::allocate(std::size_t bytes) {
  bytes = rounded(bytes);
  std::lock_guard lock(mutex_);
  ++statistics_.requests;
  if (arena_)
    if (const auto [size, memory] = take(arena_->free_, bytes); memory) {
      live_[memory] = {size, arena_};
      return memory;
    }
  auto [size, memory] = take(free_, bytes);
  if (memory) {
    statistics_.cached -= size;
  } else {
    ++statistics_.from_device;
    size = bytes;
    const std::size_t most = std::max(statistics_.peak, statistics_.in_use + bytes);
    if (!arena_ && slack_ < SIZE_MAX - most && statistics_.in_use + statistics_.cached + bytes > most + slack_)
      release_kept();
    memory = source_.allocate(bytes);
    if (!memory && !arena_) {  // nothing may be given back while work is recorded
      release_kept();
      memory = source_.allocate(bytes);
    }
    if (!memory)
      fail<OutOfMemory>("{}: out of memory on {}: asked for {:.1f} MiB; {}. A smaller batch or patch needs less",
                        current_operation, place_, mebi(bytes), describe_locked());
  }
  live_[memory] = {size, arena_};
  statistics_.in_use += size;
  statistics_.peak = std::max(statistics_.peak, statistics_.in_use);
  return memory;
}

void CachingAllocator::release(void* memory) {
  std::lock_guard lock(mutex_);
  auto found = live_.find(memory);
  if (found == live_.end()) std::terminate();  // a block that is not ours: memory is already corrupt
  const auto [size, arena] = found->second;
  live_.erase(found);
  if (arena) arena->free_.emplace(size, memory);
  else keep(size, memory);
}

void CachingAllocator::keep(std::size_t size, void* memory) {
  statistics_.in_use -= size;
  statistics_.cached += size;
  free_.emplace(size, memory);
}

Arena::~Arena() {
  std::lock_guard lock(allocator_.mutex_);
  for (const auto& [size, memory] : free_) allocator_.keep(size, memory);
  for (auto& [memory, block] : allocator_.live_)
    if (block.arena == this) block.arena = nullptr;
}

Arena::Use::Use(Arena& arena) : allocator_(arena.allocator_) {
  std::lock_guard lock(allocator_.mutex_);
  require<UsageError>(!allocator_.arena_, "memory of {} is being set aside already", allocator_.place_);
  allocator_.arena_ = &arena;
}

Arena::Use::~Use() {
  std::lock_guard lock(allocator_.mutex_);
  allocator_.arena_ = nullptr;
}

/// Gives everything back that nobody uses.
void CachingAllocator::release_kept() {
  for (auto& [size, block] : free_) source_.release(block);
  free_.clear();
  statistics_.cached = 0;
}

Sparing::Sparing(CachingAllocator& allocator, std::size_t slack) : allocator_(allocator) {
  std::lock_guard lock(allocator_.mutex_);
  outer_ = std::exchange(allocator_.slack_, slack);
}

Sparing::~Sparing() {
  std::lock_guard lock(allocator_.mutex_);
  allocator_.slack_ = outer_;
}

void CachingAllocator::empty_cache() {
  std::lock_guard lock(mutex_);
  release_kept();
}

std::string CachingAllocator::describe_locked() const {
  const MemorySource::Room room = source_.room();
  return fmt::format(
      "{:.1f} MiB in all, {:.1f} free; tensors hold {:.1f} (highest so far {:.1f}), {:.1f} are kept for reuse",
      mebi(room.total), mebi(room.free), mebi(statistics_.in_use), mebi(statistics_.peak), mebi(statistics_.cached));
}

std::string CachingAllocator::describe() const {
  std::lock_guard lock(mutex_);
  return describe_locked();
}

MemoryStatistics CachingAllocator::statistics() const {
  std::lock_guard lock(mutex_);
  return statistics_;
}

void CachingAllocator::reset_peak() {
  std::lock_guard lock(mutex_);
  statistics_.peak = statistics_.in_use;
}

void register_device(Device device, DeviceRuntime& runtime) {
  std::lock_guard lock(registry().mutex);
  registry().add(device, runtime);
}

bool is_registered(Device device) {
  std::lock_guard lock(registry().mutex);
  return registry().places.count(to_string(device)) > 0;
}

DeviceRuntime& runtime(Device device) { return *place(device).runtime; }
CachingAllocator& allocator(Device device) { return *place(device).allocator; }
CachingAllocator& pinned_allocator(Device device) {
  Place& reader = place(device);
  return reader.pinned ? *reader.pinned : allocator(Device::cpu());
}

OperationName::OperationName(const char* name) : outer_(current_operation), range_(name) { current_operation = name; }
OperationName::~OperationName() { current_operation = outer_; }
const char* OperationName::current() { return current_operation; }

Buffer::Buffer(CachingAllocator& allocator, std::size_t bytes)
    : allocator_(allocator), bytes_(bytes), data_(allocator_.allocate(bytes)) {}
Buffer::~Buffer() { allocator_.release(data_); }

}  // namespace sagcl::engine
