#include "ops/backend.h"

#include "engine/devices/per_device.h"
#include "ops/cpu/cpu_backend.h"
#include "ops/kernels/shared_backend.inl"

namespace sagcl::ops {
namespace {

engine::PerDevice<Backend>& registry() {
  static engine::PerDevice<Backend> all;
  return all;
}

}  // namespace

Backend& backend(engine::Device device) {
  if (device.is_cpu()) {
    static WidenedWithConvolutions<cpu::CpuBackend> built_in;
    return built_in;
  }
  Backend* found = registry().find(device);
  engine::require<engine::DeviceError>(found, "no backend is registered for {}; its plugin has not been loaded", device);
  return *found;
}

void register_backend(engine::Device device, Backend& backend) { registry().set(device, backend); }

}  // namespace sagcl::ops
