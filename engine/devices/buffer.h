#pragma once
#include <cstddef>

#include "engine/devices/allocator.h"
#include "engine/place.h"

namespace sagcl::engine {

/// A block of memory, returned to its allocator with its last owner.
class Buffer {
 public:
  Buffer(Device device, std::size_t bytes);
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
