#pragma once
#include <cstdlib>
#include <cstring>

#include "engine/devices/device_registry.h"
#include "engine/devices/device_runtime.h"
#include "ops/kernels/conv_reference.inl"
#include "ops/kernels/launch_cpu.h"
#include "ops/kernels/shared_backend.inl"
#include "semiagcl/kernels/shared_backend.inl"

namespace sagcl::tests {

/// A device in main memory that can record, as a GPU does: while it records, work is kept as functors with raw pointers
/// (with tensors where the CPU's libraries do it) and not done. Fresh memory holds NaN, so that a value that was never
/// computed shows.
class RecordingDevice final : public engine::DeviceRuntime {
 public:
  static constexpr engine::Device place() { return engine::Device::cuda(60); }
  /// The one of this program, registered with its backend.
  static RecordingDevice& get();

  void* allocate(std::size_t bytes) override { return std::memset(std::aligned_alloc(64, bytes), 0xff, bytes); }
  void release(void* memory) override { std::free(memory); }
  Room room() const override { return {memory, memory}; }
  void copy_from_host(void* to, const void* from, std::size_t n) override { between_host_and_device(to, from, n); }
  void copy_to_host(void* to, const void* from, std::size_t n) override {
    between_host_and_device(to, from, n);
    ++reads;
  }
  void copy_within(void* to, const void* from, std::size_t n) override {
    task([=] {
      if (n != 0) std::memcpy(to, from, n);
    });
  }
  void zero(void* memory, std::size_t n) override {
    task([=] { std::memset(memory, 0, n); });
  }
  void synchronize() override {}
  void fill(void* memory, double value, engine::Dtype dtype, std::int64_t n) override {
    task([=] { engine::runtime(engine::Device::cpu()).fill(memory, value, dtype, n); });
  }
  void add_into(void* sum, const void* term, engine::Dtype dtype, std::int64_t n) override {
    task([=] { engine::runtime(engine::Device::cpu()).add_into(sum, term, dtype, n); });
  }
  std::unique_ptr<engine::Recording> record(const std::function<void()>& work) override {
    engine::require<engine::BackendError>(!refuses, "this cannot be recorded");
    auto made = std::make_unique<Tasks>();
    made->replays = &replays;
    recording_ = made.get();
    struct Stop {
      Tasks*& recording;
      ~Stop() { recording = nullptr; }
    } stop{recording_};
    work();
    ++recordings;
    return made;
  }

  template <class F>
  void task(F f) {
    if (recording_) recording_->list.push_back(f);
    else f();
  }

  std::size_t memory = 0;  ///< bytes that room() tells of
  int recordings = 0, replays = 0, reads = 0;
  bool refuses = false;  ///< record() throws

 private:
  struct Tasks final : engine::Recording {
    std::vector<std::function<void()>> list;
    int* replays = nullptr;
    void run() override {
      ++*replays;
      for (const auto& f : list) f();
    }
  };
  void between_host_and_device(void* to, const void* from, std::size_t n) {
    engine::require<engine::BackendError>(!recording_, "a copy between host and device cannot be recorded");
    if (n != 0) std::memcpy(to, from, n);
  }
  Tasks* recording_ = nullptr;
};

struct RecordingLaunch {
  template <class F>
  static void for_each(std::int64_t n, F f) {
    RecordingDevice::get().task([=] { ops::CpuLaunch::for_each(n, f); });
  }
  template <class F>
  static void for_rows(std::int64_t rows, std::int64_t columns, F f) {
    RecordingDevice::get().task([=] { ops::CpuLaunch::for_rows(rows, columns, f); });
  }
  template <int K, class T, class Out, class F>
  static void column_sums(std::int64_t outer, std::int64_t reduced, std::int64_t inner, F f, Out* out) {
    RecordingDevice::get().task([=] { ops::CpuLaunch::column_sums<K, T>(outer, reduced, inner, f, out); });
  }
  template <class F>
  static void for_groups(std::int64_t groups, F f) {
    RecordingDevice::get().task([=] { ops::CpuLaunch::for_groups(groups, f); });
  }
};

/// The shared kernels, convolution by its definition; the CPU's products and decompositions.
class RecordingBackend final : public ops::SharedBackend<RecordingLaunch> {
 public:
  using Tensor = engine::Tensor;
  void matmul(const ops::MatmulGeometry& g, const Tensor& a, const Tensor& b, Tensor& y) override {
    task([=]() mutable { cpu().matmul(g, a, b, y); });
  }
  void nuclear_norm(const ops::NuclearNormSpec& spec, const Tensor& a, Tensor& value, Tensor& subgradient) override {
    task([=]() mutable { cpu().nuclear_norm(spec, a, value, subgradient); });
  }
  void svd(const Tensor& a, Tensor& u, Tensor& s, Tensor& vt) override {
    task([=]() mutable { cpu().svd(a, u, s, vt); });
  }
  void conv_forward(const ops::ConvGeometry& g, const Tensor& x, const Tensor& w, const Tensor& b, Tensor& y) override {
    RecordingLaunch::for_each(y.size(),
                              ops::kernels::ConvForward<float>{g, x.data<float>(), w.data<float>(),
                                                               b.defined() ? b.data<float>() : nullptr, y.data<float>()});
  }
  void conv_backward_data(const ops::ConvGeometry& g, const Tensor& w, const Tensor& dy, const Tensor& b,
                          Tensor& dx) override {
    RecordingLaunch::for_each(
        dx.size(), ops::kernels::ConvBackwardData<float>{g, w.data<float>(), dy.data<float>(),
                                                         b.defined() ? b.data<float>() : nullptr, dx.data<float>()});
  }
  void conv_backward_weight(const ops::ConvGeometry& g, const Tensor& x, const Tensor& dy, Tensor& dw) override {
    RecordingLaunch::for_each(
        dw.size(), ops::kernels::ConvBackwardWeight<float>{g, x.data<float>(), dy.data<float>(), dw.data<float>()});
  }

 private:
  template <class F>
  static void task(F f) {
    RecordingDevice::get().task(std::move(f));
  }
  static ops::Backend& cpu() { return ops::backend(engine::Device::cpu()); }
};

inline RecordingDevice& RecordingDevice::get() {
  static RecordingDevice& device = []() -> RecordingDevice& {
    auto& made = *new RecordingDevice;
    static RecordingBackend backend;
    static semiagcl::SharedPaperBackend<RecordingLaunch> paper_backend;
    engine::register_device(place(), made);
    ops::register_backend(place(), backend);
    semiagcl::register_paper_backend(place(), paper_backend);
    return made;
  }();
  return device;
}

}  // namespace sagcl::tests
