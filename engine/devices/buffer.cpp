#include "engine/devices/buffer.h"

#include <utility>

#include "engine/devices/device_registry.h"

namespace sagcl::engine {

Buffer::Buffer(Device device, std::size_t bytes) : Buffer(allocator(device), bytes) {}
Buffer::Buffer(CachingAllocator& allocator, std::size_t bytes)
    : allocator_(&allocator), bytes_(bytes), data_(allocator.allocate(bytes)) {}
Buffer::Buffer(std::shared_ptr<const void> lender, void* data, std::size_t bytes)
    : lender_(std::move(lender)), bytes_(bytes), data_(data) {}
Buffer::~Buffer() {
  if (allocator_) allocator_->release(data_);
}

}  // namespace sagcl::engine
