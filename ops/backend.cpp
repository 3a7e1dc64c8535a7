#include "ops/backend.h"

#include <map>
#include <mutex>
#include <utility>

#include "ops/cpu/cpu_backend.h"

namespace sagcl::ops {

namespace {

std::mutex mutex;

std::map<std::pair<engine::Device::Kind, int>, Backend*>& registry() {
  static std::map<std::pair<engine::Device::Kind, int>, Backend*> all;
  return all;
}

}  // namespace

Backend& backend(engine::Device device) {
  if (device.is_cpu()) {
    static cpu::CpuBackend built_in;
    return built_in;
  }
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = registry().find({device.kind, device.index});
  engine::require<engine::DeviceError>(found != registry().end(), "no backend is registered for {}; its plugin has not been loaded", device);
  return *found->second;
}

void register_backend(engine::Device device, Backend& backend) {
  engine::require<engine::UsageError>(!device.is_cpu(), "the CPU backend is built in and cannot be replaced");
  const std::lock_guard<std::mutex> lock(mutex);
  registry()[{device.kind, device.index}] = &backend;
}

}  // namespace sagcl::ops
