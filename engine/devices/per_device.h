#pragma once
#include <map>
#include <mutex>
#include <utility>

#include "engine/place.h"

namespace sagcl::engine {

/// What is known of each device besides the CPU, by whoever registered it; for any thread. Holds references.
template <class T>
class PerDevice {
 public:
  /// UsageError for the CPU, whose part is built in.
  void set(Device device, T& one) {
    require<UsageError>(!device.is_cpu(), "the CPU's backend is built in and cannot be replaced");
    const std::lock_guard lock(mutex_);
    all_[{device.kind, device.index}] = &one;
  }
  T* find(Device device) {  ///< nullptr where nothing is registered
    const std::lock_guard lock(mutex_);
    const auto found = all_.find({device.kind, device.index});
    return found == all_.end() ? nullptr : found->second;
  }

 private:
  std::mutex mutex_;
  std::map<std::pair<Device::Kind, int>, T*> all_;
};

}  // namespace sagcl::engine
