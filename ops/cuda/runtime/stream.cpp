#include "ops/cuda/runtime/stream.h"

#include <cstdlib>
#include <mutex>
#include <thread>
#include <utility>

#include "engine/devices/device_registry.h"
#include "engine/operation_name.h"

namespace sagcl::ops::cuda {
namespace {

int chosen = 0;
cudaStream_t compute = nullptr;
Watch watch;
std::mutex watching;  // held while the watch is asked

}  // namespace

void open_device(int index) {
  check(cudaSetDevice(index), "cudaSetDevice");
  check(cudaStreamCreateWithFlags(&compute, cudaStreamNonBlocking), "cudaStreamCreate");
  chosen = index;
}

engine::Device device() { return engine::Device::cuda(chosen); }
cudaStream_t stream() { return compute; }

bool recording() {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  check(cudaStreamIsCapturing(compute, &status), "cudaStreamIsCapturing");
  return status != cudaStreamCaptureStatusNone;
}

void set_watch(Watch asked) {
  std::lock_guard lock(watching);
  watch = std::move(asked);
}

bool is_watched() {
  std::lock_guard lock(watching);
  return watch != nullptr;
}

void watch_until_ready(const std::function<cudaError_t()>& status, const char* what) {
  const auto begin = std::chrono::steady_clock::now();
  for (;;) {
    const cudaError_t now = status();
    const bool ready = now != cudaErrorNotReady;
    if (!ready) cudaGetLastError();  // some versions keep it
    {
      std::lock_guard lock(watching);
      const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - begin;
      if (watch) watch(ready ? std::chrono::duration<double>(0) : waited);
    }
    if (ready) return check(now, what);
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
}

void wait_for_work(const char* what) {
  if (!is_watched()) return check(cudaStreamSynchronize(compute), what);
  watch_until_ready([] { return cudaStreamQuery(compute); }, what);
}

void wait_for_event(cudaEvent_t event, const char* what) {
  if (!is_watched()) return check(cudaEventSynchronize(event), what);
  watch_until_ready([&] { return cudaEventQuery(event); }, what);
}

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) [[likely]]
    return;
  if (!allocated(status, what)) fail_out_of_memory(what);
}

bool allocated(cudaError_t status, const char* what) {
  if (status == cudaSuccess) [[likely]]
    return true;
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // the next call must not find it
    return false;
  }
  engine::fail<engine::BackendError>("{}: CUDA error {} ({}) on cuda:{}", what, cudaGetErrorString(status),
                                     cudaGetErrorName(status), chosen);
}

void released(cudaError_t status) {
  if (status != cudaErrorCudartUnloading && status != cudaSuccess) cudaGetLastError();
}

void fail_out_of_memory(const char* what) {
  engine::fail<engine::OutOfMemory>("{}: {} found no room on cuda:{}; {}. A smaller batch or patch needs less",
                                    engine::OperationName::current(), what, chosen, engine::allocator(device()).describe());
}

bool synchronous() {
  static const bool wait = std::getenv("SAGCL_CUDA_SYNC") != nullptr;
  return wait;
}

void check_launch(const char* kernel) {
  check(cudaGetLastError(), kernel);
  if (synchronous()) wait_for_work(kernel);
}

}  // namespace sagcl::ops::cuda
