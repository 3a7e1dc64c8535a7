#include "ops/cuda/stream.h"

#include <cstdlib>

namespace sagcl::ops::cuda {
namespace {

int chosen = 0;
cudaStream_t compute = nullptr;

}  // namespace

void open_device(int index) {
  check(cudaSetDevice(index), "cudaSetDevice");
  check(cudaStreamCreateWithFlags(&compute, cudaStreamNonBlocking), "cudaStreamCreate");
  chosen = index;
}

engine::Device device() { return engine::Device::cuda(chosen); }
cudaStream_t stream() { return compute; }

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) [[likely]] return;
  engine::fail<engine::BackendError>("{}: CUDA error {} ({}) on cuda:{}", what, cudaGetErrorString(status),
                                     cudaGetErrorName(status), chosen);
}

void check_launch(const char* kernel) {
  static const bool wait = std::getenv("SAGCL_CUDA_SYNC") != nullptr;
  check(cudaGetLastError(), kernel);
  if (wait) check(cudaStreamSynchronize(compute), kernel);
}

}  // namespace sagcl::ops::cuda
