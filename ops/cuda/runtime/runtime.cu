#include "ops/cuda/runtime/runtime.h"

#include <exception>

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
  require_running("copy from host");
  if (bytes == 0) return;                                              // nullptr has no attributes
  if (bytes > 65536 && is_watched()) wait_for_work("copy from host");  // the copy might wait by itself, and asks no watch
  check(cudaMemcpyAsync(to, host, bytes, cudaMemcpyHostToDevice, stream()), "copy from host");
  cudaPointerAttributes memory;  // ordinary memory has been read by now, pinned memory is read when the copy's turn comes
  check(cudaPointerGetAttributes(&memory, host), "copy from host");
  if (memory.type == cudaMemoryTypeHost) wait_for_work("copy from host");
}

void CudaRuntime::copy_to_host(void* host, const void* from, std::size_t bytes) {
  require_running("copy to host");
  wait_for_work("copy to host");  // before the copy too: into ordinary memory it waits by itself, and asks no watch
  check(cudaMemcpyAsync(host, from, bytes, cudaMemcpyDeviceToHost, stream()), "copy to host");
  wait_for_work("copy to host");
}

void CudaRuntime::copy_within(void* to, const void* from, std::size_t bytes) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream()), "copy within the device");
}

void CudaRuntime::zero(void* memory, std::size_t bytes) { check(cudaMemsetAsync(memory, 0, bytes, stream()), "zero"); }

void CudaRuntime::synchronize() {
  require_running("synchronize");
  wait_for_work("synchronize");
}

void CudaRuntime::require_running(const char* what) const {
  engine::require<engine::BackendError>(!recording(),
                                        "{}: the host cannot wait for work that is being recorded; train.replay = false "
                                        "runs it directly",
                                        what);
}

namespace {

class Graph final : public engine::Recording {
 public:
  explicit Graph(cudaGraph_t graph) { check(cudaGraphInstantiate(&exec_, graph, 0), "cudaGraphInstantiate"); }
  ~Graph() override { released(cudaGraphExecDestroy(exec_)); }
  void run() override { check(cudaGraphLaunch(exec_, stream()), "cudaGraphLaunch"); }

 private:
  cudaGraphExec_t exec_ = nullptr;
};

}  // namespace

/// Relaxed: the allocator may ask the driver for memory meanwhile.
std::unique_ptr<engine::Recording> CudaRuntime::record(const std::function<void()>& work) {
  if (synchronous()) return nullptr;
  check(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeRelaxed), "cudaStreamBeginCapture");
  std::exception_ptr failure;
  try {
    work();
  } catch (...) { failure = std::current_exception(); }
  cudaGraph_t captured = nullptr;
  const cudaError_t status = cudaStreamEndCapture(stream(), &captured);
  const std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, cudaError_t (*)(cudaGraph_t)> graph(captured, cudaGraphDestroy);
  if (failure) {
    cudaGetLastError();  // what ended the recording is told by `failure`
    std::rethrow_exception(failure);
  }
  check(status, "cudaStreamEndCapture");
  return std::make_unique<Graph>(graph.get());
}

namespace {

template <class T>
struct AddInto {
  T* sum;
  const T* term;
  __device__ void operator()(std::int64_t i) const { sum[i] = T(sum[i] + term[i]); }
};

template <class T>
struct Fill {
  T* y;
  T value;
  __device__ void operator()(std::int64_t i) const { y[i] = value; }
};

}  // namespace

void CudaRuntime::fill(void* memory, double value, engine::Dtype dtype, std::int64_t n) {
  engine::visit_any(dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    CudaLaunch::for_each(n, Fill<T>{static_cast<T*>(memory), T(value)});
  });
}

void CudaRuntime::add_into(void* sum, const void* term, engine::Dtype dtype, std::int64_t n) {
  engine::visit_real(dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    CudaLaunch::for_each(n, AddInto<T>{static_cast<T*>(sum), static_cast<const T*>(term)});
  });
}

}  // namespace sagcl::ops::cuda
