#pragma once
#include "engine/devices/device_runtime.h"

namespace sagcl::engine {

/// Main memory as a device. Never destroyed: tensors in static storage may outlive everything else.
DeviceRuntime& cpu_runtime();

}  // namespace sagcl::engine
