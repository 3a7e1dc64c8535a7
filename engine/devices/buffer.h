#pragma once
#include <cstddef>
#include <memory>

#include "engine/devices/allocator.h"
#include "engine/place.h"

namespace sagcl::engine {

/// A block of memory, returned to its allocator with its last owner; or a part of somebody else's, who is kept alive.
class Buffer {
 public:
  Buffer(Device device, std::size_t bytes);
  Buffer(CachingAllocator& allocator, std::size_t bytes);
  Buffer(std::shared_ptr<const void> lender, void* data, std::size_t bytes);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  bool borrowed() const { return allocator_ == nullptr; }

 private:
  CachingAllocator* allocator_ = nullptr;
  std::shared_ptr<const void> lender_;
  std::size_t bytes_;
  void* data_;
};

}  // namespace sagcl::engine
