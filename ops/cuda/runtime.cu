#include "ops/cuda/runtime.h"

#include "ops/cuda/launch_cuda.cuh"

namespace sagcl::ops::cuda {

void* CudaRuntime::allocate(std::size_t bytes) {
  void* memory = nullptr;
  return allocated(cudaMalloc(&memory, bytes), "cudaMalloc") ? memory : nullptr;
}

void CudaRuntime::release(void* memory) { released(cudaFree(memory)); }

engine::MemorySource::Room CudaRuntime::room() const {
  Room room;
  check(cudaMemGetInfo(&room.free, &room.total), "cudaMemGetInfo");
  return room;
}

void CudaRuntime::copy_from_host(void* to, const void* host, std::size_t bytes) {
  if (bytes == 0) return;  // nullptr has no attributes
  check(cudaMemcpyAsync(to, host, bytes, cudaMemcpyHostToDevice, stream()), "copy from host");
  cudaPointerAttributes memory;  // ordinary memory has been read by now, pinned memory is read when the copy's turn comes
  check(cudaPointerGetAttributes(&memory, host), "copy from host");
  if (memory.type == cudaMemoryTypeHost) check(cudaStreamSynchronize(stream()), "copy from host");
}

void CudaRuntime::copy_to_host(void* host, const void* from, std::size_t bytes) {
  check(cudaMemcpyAsync(host, from, bytes, cudaMemcpyDeviceToHost, stream()), "copy to host");
  check(cudaStreamSynchronize(stream()), "copy to host");
}

void CudaRuntime::copy_within(void* to, const void* from, std::size_t bytes) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream()), "copy within the device");
}

void CudaRuntime::zero(void* memory, std::size_t bytes) { check(cudaMemsetAsync(memory, 0, bytes, stream()), "zero"); }

void CudaRuntime::synchronize() { check(cudaStreamSynchronize(stream()), "synchronize"); }

namespace {

template <class T>
struct AddInto {
  T* sum;
  const T* term;
  __device__ void operator()(std::int64_t i) const { sum[i] += term[i]; }
};

}  // namespace

void CudaRuntime::add_into(void* sum, const void* term, engine::Dtype dtype, std::int64_t n) {
  engine::visit_float(dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    CudaLaunch::for_each(n, AddInto<T>{static_cast<T*>(sum), static_cast<const T*>(term)});
  });
}

}  // namespace sagcl::ops::cuda
