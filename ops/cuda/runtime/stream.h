#pragma once
#include <cuda_runtime.h>

#include <chrono>
#include <cstddef>
#include <functional>

#include "engine/place.h"

/// The one GPU this process drives. All work goes to one stream, in the order of the calls, so a block of memory may be
/// reused as soon as its owner is gone.
namespace sagcl::ops::cuda {

/// Chooses the GPU and creates the stream; BackendError when that fails. Called once, before anything else here.
void open_device(int index);
engine::Device device();
cudaStream_t stream();
/// True while the work given to the stream is recorded as a CUDA graph instead of done.
bool recording();

/// The host waits for the work given to the stream, or for an event.
void wait_for_work(const char* what);
void wait_for_event(cudaEvent_t event, const char* what);

/// Asked again and again while the host waits, with how long it has waited, and once more when the work is done (0 s);
/// throws if waiting is or was in vain, as when other GPUs do not come to a collective call. From any thread. Empty: nobody
/// is asked.
using Watch = std::function<void(std::chrono::duration<double> waited)>;
void set_watch(Watch watch);
bool is_watched();
/// Asks the watch until `status` is another than cudaErrorNotReady.
void watch_until_ready(const std::function<cudaError_t()>& status, const char* what);

/// Unless `status` is success: OutOfMemory with the allocator's numbers, or BackendError with the place and the runtime's
/// text.
void check(cudaError_t status, const char* what);
/// False if there was no room, which is then forgotten; otherwise as check().
bool allocated(cudaError_t status, const char* what);
/// After giving memory back; at the end of the program the driver may already be gone, and with it the memory.
void released(cudaError_t status);
/// For libraries that report it in their own way: `what` found no room on the GPU.
[[noreturn]] void fail_out_of_memory(const char* what);
/// True with SAGCL_CUDA_SYNC=1 in the environment.
bool synchronous();
/// After a kernel launch. With SAGCL_CUDA_SYNC=1 in the environment it also waits, so that a fault names its kernel.
void check_launch(const char* kernel);

}  // namespace sagcl::ops::cuda
