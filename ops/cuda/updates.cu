#include "ops/cuda/cuda_backend.cuh"
#include "ops/cuda/slots.cuh"
#include "ops/kernels/updates.inl"

namespace sagcl::ops::cuda {
namespace {

// All parameters in one launch (or one for every 400): a network has a hundred small tensors.

/// Collects tensors and launches when the table is full; the last ones are launched by launch().
template <int tensors, class F>
class SlotLauncher {
 public:
  explicit SlotLauncher(F f) : f_(f) {}
  void add(std::int64_t n, const std::array<void*, tensors>& pointers) {
    constexpr std::int64_t longest = std::int64_t(1) << 30;
    engine::require<engine::BackendError>(n < longest, "a parameter of {} elements is too large for one update", n);
    if (n == 0) return;
    for (int k = 0; k < tensors; ++k) table_.at[table_.slots][k] = pointers[std::size_t(k)];
    table_.size[table_.slots] = int(n);
    table_.first_block[table_.slots] = blocks_;
    blocks_ += int((n + block_elements - 1) / block_elements);
    table_.first_block[++table_.slots] = blocks_;
    if (table_.slots == most_slots) launch();
  }
  void launch() {
    if (table_.slots == 0) return;
    slots_kernel<tensors><<<unsigned(blocks_), block_threads, 0, stream()>>>(table_, f_);
    table_.slots = blocks_ = 0;
    check_launch("update of parameters");
  }

 private:
  F f_;
  SlotTable<tensors> table_;
  int blocks_ = 0;
};

/// The formulas of ops/kernels/updates.inl with the pointers of a slot put in.
template <class T>
struct AdamSlots {
  kernels::Update<kernels::AdamElement<T>> update;
  __device__ bool load() { return update.load(); }
  __device__ void operator()(void* const* at, std::int64_t i) const {
    kernels::AdamElement<T> e = update.element;
    e.p = static_cast<T*>(at[0]), e.m = static_cast<T*>(at[1]), e.v = static_cast<T*>(at[2]),
    e.g = static_cast<const T*>(at[3]);
    e(i);
  }
};

template <class T>
struct SgdSlots {
  kernels::Update<kernels::SgdElement<T>> update;
  __device__ bool load() { return update.load(); }
  __device__ void operator()(void* const* at, std::int64_t i) const {
    kernels::SgdElement<T> e = update.element;
    e.p = static_cast<T*>(at[0]), e.v = static_cast<T*>(at[1]), e.g = static_cast<const T*>(at[2]);
    e(i);
  }
};

template <class T>
struct AverageSlots {
  kernels::Update<kernels::AverageElement<T>> update;
  __device__ bool load() { return update.load(); }
  __device__ void operator()(void* const* at, std::int64_t i) const {
    kernels::AverageElement<T> e = update.element;
    e.teacher = static_cast<T*>(at[0]), e.student = static_cast<const T*>(at[1]);
    e(i);
  }
};

}  // namespace

void CudaBackend::adam(const AdamSpec& spec, const Tensor& rates, const Tensor& gate, const std::vector<AdamSlot>& slots) {
  if (slots.empty()) return;
  engine::visit_float(slots.front().p.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    SlotLauncher<4, AdamSlots<T>> launcher(AdamSlots<T>{{kernels::adam_element<T>(spec), rates, gate}});
    for (const AdamSlot& s : slots)
      launcher.add(s.p.size(), {s.p.bytes_begin(), s.m.bytes_begin(), s.v.bytes_begin(), s.g.bytes_begin()});
    launcher.launch();
  });
}

void CudaBackend::sgd(const SgdSpec& spec, const Tensor& lr, const Tensor& gate, const std::vector<SgdSlot>& slots) {
  if (slots.empty()) return;
  engine::visit_float(slots.front().p.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    SlotLauncher<3, SgdSlots<T>> launcher(
        SgdSlots<T>{{{nullptr, nullptr, nullptr, T(spec.momentum), T(spec.weight_decay)}, lr, gate}});
    for (const SgdSlot& s : slots) launcher.add(s.p.size(), {s.p.bytes_begin(), s.v.bytes_begin(), s.g.bytes_begin()});
    launcher.launch();
  });
}

void CudaBackend::average(const Tensor& alpha, const Tensor& gate,
                          const std::vector<std::pair<Tensor, Tensor>>& teacher_student) {
  if (teacher_student.empty()) return;
  engine::visit_float(teacher_student.front().first.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    SlotLauncher<2, AverageSlots<T>> launcher(AverageSlots<T>{{{nullptr, nullptr}, alpha, gate}});
    for (const auto& [teacher, student] : teacher_student)
      launcher.add(teacher.size(), {teacher.bytes_begin(), student.bytes_begin()});
    launcher.launch();
  });
}

}  // namespace sagcl::ops::cuda
