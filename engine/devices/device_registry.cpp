#include "engine/devices/device_registry.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "engine/devices/cpu_runtime.h"
#include "engine/error.h"

namespace sagcl::engine {
namespace {

struct Place {
  DeviceRuntime* runtime;
  std::unique_ptr<CachingAllocator> allocator, pinned;
};

/// Registered devices. Never destroyed: tensors in static storage may outlive everything else.
struct Registry {
  std::mutex mutex;
  std::map<std::string, Place> places;
  Registry() { add(Device::cpu(), cpu_runtime()); }
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

}  // namespace

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

}  // namespace sagcl::engine
