#pragma once
#include "engine/devices/allocator.h"
#include "engine/devices/device_runtime.h"
#include "engine/place.h"

namespace sagcl::engine {

/// Makes a device usable. Called once by a plugin; the runtime must outlive every tensor on it.
void register_device(Device device, DeviceRuntime& runtime);
bool is_registered(Device device);
DeviceRuntime& runtime(Device device);  ///< DeviceError with the reason when the device is not there
CachingAllocator& allocator(Device device);
CachingAllocator& pinned_allocator(Device device);  ///< of host memory for its copy queue; the CPU's own where it has none

}  // namespace sagcl::engine
