#pragma once
#include <vector>

#include "engine/devices/device_runtime.h"
#include "engine/tensor.h"

namespace sagcl::engine {

/// Host tensors on their way to a device, copied beside the work the device does meanwhile. They should be
/// Tensor::staging() tensors of that device; it keeps them until they have been read.
class Upload {
 public:
  /// Begins to copy; on the CPU, and on devices without a copy queue, the copies are as Tensor::to() makes them.
  Upload(std::vector<Tensor> host, Device device);
  ~Upload();  ///< the host waits for the copies
  Upload(const Upload&) = delete;

  /// The tensors on the device, for the caller to keep: work asked for from now on finds the copies complete, and the host
  /// goes on at once. UsageError when called twice.
  std::vector<Tensor> arrive();

 private:
  CopyQueue* queue_;
  std::vector<Tensor> host_, copies_;
  CopyQueue::Mark end_;
};

}  // namespace sagcl::engine
