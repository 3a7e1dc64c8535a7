#include "engine/devices/plugin.h"

#include <cudnn.h>

#include "engine/devices/device_registry.h"
#include "ops/cuda/backend.h"
#include "ops/cuda/runtime/nvtx.h"
#include "ops/cuda/runtime/runtime.h"
#include "ops/cuda/runtime/stream.h"

namespace sagcl::ops::cuda {
namespace {

std::string start(int version, int index) {
  using engine::DeviceError;
  using engine::require;
  require<DeviceError>(version == engine::plugin_version,
                       "libsagcl_cuda.so has version {}, the program wants {}: build both anew", engine::plugin_version,
                       version);
  static int opened = -1;
  require<DeviceError>(opened < 0 || opened == index,
                       "this process already drives cuda:{}; start another process for cuda:{}", opened, index);
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  require<DeviceError>(status == cudaSuccess, "{}", cudaGetErrorString(status));
  require<DeviceError>(index < count, "there are {} GPUs, counted from 0", count);
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
  require<DeviceError>(properties.major >= 8, "{} has compute capability {}.{}; 8.0 (A100) or later is needed",
                       properties.name, properties.major, properties.minor);
  if (opened < 0) {
    open_device(index);
    static CudaRuntime& runtime = *new CudaRuntime;
    engine::register_device(device(), runtime);
    register_backend(device(), gpu_backend());
    show_ranges_to_profiler();
    opened = index;
  }
  const std::size_t v = cudnnGetVersion();
  return fmt::format("{}, {:.0f} GiB, cuDNN {}.{}.{}", properties.name, double(properties.totalGlobalMem) / (1 << 30),
                     v / 10000, v / 100 % 100, v % 100);
}

}  // namespace
}  // namespace sagcl::ops::cuda

extern "C" __attribute__((visibility("default"))) void sagcl_plugin_start(int version, int device,
                                                                          sagcl::engine::PluginAnswer* answer) {
  std::string text;
  try {
    text = sagcl::ops::cuda::start(version, device);
    answer->ready = true;
  } catch (const std::exception& e) {
    text = e.what();
    answer->ready = false;
  }
  text.copy(answer->text, sizeof answer->text - 1);
}
