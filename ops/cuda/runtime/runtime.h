#pragma once
#include "engine/devices/device_runtime.h"
#include "ops/cuda/runtime/copy_queue.h"

namespace sagcl::ops::cuda {

/// Device memory and copies for the engine. Copies are ordered with the kernels: all use the one stream, except those of
/// the copy queue.
class CudaRuntime final : public engine::DeviceRuntime {
 public:
  void* allocate(std::size_t bytes) override;
  void release(void* memory) override;
  Room room() const override;
  void copy_from_host(void* device, const void* host, std::size_t bytes) override;
  void copy_to_host(void* host, const void* device, std::size_t bytes) override;
  void copy_within(void* to, const void* from, std::size_t bytes) override;
  void zero(void* memory, std::size_t bytes) override;
  void synchronize() override;
  void fill(void* memory, double value, engine::Dtype dtype, std::int64_t n) override;
  void add_into(void* sum, const void* term, engine::Dtype dtype, std::int64_t n) override;
  engine::CopyQueue* copy_queue() override { return &copies_; }
  /// a CUDA graph; nullptr with SAGCL_CUDA_SYNC
  std::unique_ptr<engine::Recording> record(const std::function<void()>& work) override;

 private:
  void require_running(const char* what) const;
  CudaCopyQueue copies_;
};

}  // namespace sagcl::ops::cuda
