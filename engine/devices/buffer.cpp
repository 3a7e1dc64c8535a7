#include "engine/devices/buffer.h"

#include "engine/devices/device_registry.h"

namespace sagcl::engine {

Buffer::Buffer(Device device, std::size_t bytes) : Buffer(allocator(device), bytes) {}
Buffer::Buffer(CachingAllocator& allocator, std::size_t bytes)
    : allocator_(allocator), bytes_(bytes), data_(allocator_.allocate(bytes)) {}
Buffer::~Buffer() { allocator_.release(data_); }

}  // namespace sagcl::engine
