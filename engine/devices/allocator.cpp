#include "engine/devices/allocator.h"

#include <algorithm>
#include <exception>

#include "engine/error.h"
#include "engine/operation_name.h"

namespace sagcl::engine {
namespace {

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
    if (const auto [size, memory] = take(arena_->free_, bytes); memory) return hand_out(memory, size);
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
                        OperationName::current(), place_, mebi(bytes), describe_locked());
  }
  statistics_.in_use += size;
  statistics_.peak = std::max(statistics_.peak, statistics_.in_use);
  return hand_out(memory, size);
}

void* CachingAllocator::hand_out(void* memory, std::size_t size) {
  live_[memory] = {size, arena_};
  if (listener_) listener_->allocated(memory, size);
  return memory;
}

void CachingAllocator::listen(AllocationListener* listener) {
  std::lock_guard lock(mutex_);
  listener_ = listener;
}

void CachingAllocator::release(void* memory) {
  std::lock_guard lock(mutex_);
  auto found = live_.find(memory);
  if (found == live_.end()) std::terminate();  // a block that is not ours: memory is already corrupt
  const auto [size, arena] = found->second;
  live_.erase(found);
  if (listener_) listener_->released(memory);
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

}  // namespace sagcl::engine
