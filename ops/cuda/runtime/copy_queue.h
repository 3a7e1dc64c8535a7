#pragma once
#include <cuda_runtime.h>

#include "engine/devices/device_runtime.h"

namespace sagcl::ops::cuda {

/// Host memory whose pages stay where they are, so that the GPU's copy engine reads it beside kernels.
class PinnedMemory final : public engine::MemorySource {
 public:
  void* allocate(std::size_t bytes) override;  ///< from any thread
  void release(void* memory) override;
  Room room() const override;
};

/// Copies from the host on a stream of their own.
class CudaCopyQueue final : public engine::CopyQueue {
 public:
  CudaCopyQueue();
  engine::MemorySource& pinned() override { return pinned_; }
  void copy(void* to, const void* pinned, std::size_t bytes) override;
  Mark mark() override;
  void after_work() override;
  void before_work(const Mark& mark) override;
  void wait(const Mark& mark) override;

 private:
  PinnedMemory pinned_;
  cudaStream_t copies_ = nullptr;
};

}  // namespace sagcl::ops::cuda
