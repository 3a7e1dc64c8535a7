#include "ops/cuda/runtime/copy_queue.h"

#include "engine/devices/device_registry.h"
#include "ops/cuda/runtime/stream.h"

namespace sagcl::ops::cuda {
namespace {

/// The end of a stream as it is now. A mark is a cudaEvent_t that is destroyed with its last owner.
engine::CopyQueue::Mark end_of(cudaStream_t stream) {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreate");
  const engine::CopyQueue::Mark mark(event, [](void* e) { cudaEventDestroy(static_cast<cudaEvent_t>(e)); });
  check(cudaEventRecord(event, stream), "cudaEventRecord");
  return mark;
}

void hold(cudaStream_t stream, const engine::CopyQueue::Mark& mark) {
  check(cudaStreamWaitEvent(stream, static_cast<cudaEvent_t>(mark.get())), "cudaStreamWaitEvent");
}

}  // namespace

void* PinnedMemory::allocate(std::size_t bytes) {
  check(cudaSetDevice(device().index), "cudaSetDevice");  // each thread begins on the first GPU
  void* memory = nullptr;
  return allocated(cudaHostAlloc(&memory, bytes, cudaHostAllocDefault), "cudaHostAlloc") ? memory : nullptr;
}

void PinnedMemory::release(void* memory) { released(cudaFreeHost(memory)); }

engine::MemorySource::Room PinnedMemory::room() const { return engine::runtime(engine::Device::cpu()).room(); }

CudaCopyQueue::CudaCopyQueue() { check(cudaStreamCreateWithFlags(&copies_, cudaStreamNonBlocking), "cudaStreamCreate"); }

void CudaCopyQueue::copy(void* to, const void* pinned, std::size_t bytes) {
  check(cudaMemcpyAsync(to, pinned, bytes, cudaMemcpyHostToDevice, copies_), "copy from pinned memory");
}

engine::CopyQueue::Mark CudaCopyQueue::mark() { return end_of(copies_); }

void CudaCopyQueue::after_work() { hold(copies_, end_of(stream())); }

void CudaCopyQueue::before_work(const Mark& mark) { hold(stream(), mark); }

void CudaCopyQueue::wait(const Mark& mark) {
  wait_for_event(static_cast<cudaEvent_t>(mark.get()), "copy from pinned memory");
}

}  // namespace sagcl::ops::cuda
