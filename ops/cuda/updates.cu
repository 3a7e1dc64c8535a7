#include "ops/cuda/updates.h"

#include "ops/cuda/launch_cuda.cuh"
#include "ops/cuda/slots.cuh"
#include "ops/kernels/updates.inl"

namespace sagcl::ops::cuda {
namespace {

/// Collects tensors and launches when the table is full.
template <int tensors, class F>
class SlotLauncher {
 public:
  explicit SlotLauncher(F f) : f_(f) {}
  ~SlotLauncher() noexcept(false) { launch(); }
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

 private:
  void launch() {
    if (table_.slots == 0) return;
    slots_kernel<tensors><<<unsigned(blocks_), block_threads, 0, stream()>>>(table_, f_);
    table_.slots = blocks_ = 0;
    check_launch("update of parameters");
  }
  F f_;
  SlotTable<tensors> table_;
  int blocks_ = 0;
};

/// The formulas of ops/kernels/updates.inl with the pointers of a slot put in.
template <class T>
struct AdamSlots {
  kernels::AdamElement<T> element;
  __device__ void operator()(void* const* at, std::int64_t i) const {
    kernels::AdamElement<T> e = element;
    e.p = static_cast<T*>(at[0]), e.m = static_cast<T*>(at[1]), e.v = static_cast<T*>(at[2]),
    e.g = static_cast<const T*>(at[3]);
    e(i);
  }
};

template <class T>
struct SgdSlots {
  kernels::SgdElement<T> element;
  __device__ void operator()(void* const* at, std::int64_t i) const {
    kernels::SgdElement<T> e = element;
    e.p = static_cast<T*>(at[0]), e.v = static_cast<T*>(at[1]), e.g = static_cast<const T*>(at[2]);
    e(i);
  }
};

template <class T>
struct AverageSlots {
  kernels::AverageElement<T> element;
  __device__ void operator()(void* const* at, std::int64_t i) const {
    kernels::AverageElement<T> e = element;
    e.teacher = static_cast<T*>(at[0]), e.student = static_cast<const T*>(at[1]);
    e(i);
  }
};

}  // namespace

void adam(const AdamStep& step, const std::vector<AdamSlot>& slots) {
  if (slots.empty()) return;
  const double rate = step.lr / (1 - std::pow(step.beta1, double(step.t))),
               root = 1 / std::sqrt(1 - std::pow(step.beta2, double(step.t)));
  engine::visit_float(slots.front().p.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const kernels::AdamElement<T> element{nullptr,       nullptr,           nullptr,
                                          nullptr,       T(step.beta1),     T(1 - step.beta1),
                                          T(step.beta2), T(1 - step.beta2), T(step.weight_decay),
                                          T(rate),       T(root),           T(step.eps)};
    SlotLauncher<4, AdamSlots<T>> launcher(AdamSlots<T>{element});
    for (const AdamSlot& s : slots)
      launcher.add(s.p.size(), {s.p.bytes_begin(), s.m.bytes_begin(), s.v.bytes_begin(), s.g.bytes_begin()});
  });
}

void sgd(const SgdStep& step, const std::vector<SgdSlot>& slots) {
  if (slots.empty()) return;
  engine::visit_float(slots.front().p.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    SlotLauncher<3, SgdSlots<T>> launcher(
        SgdSlots<T>{{nullptr, nullptr, nullptr, T(step.lr), T(step.momentum), T(step.weight_decay)}});
    for (const SgdSlot& s : slots) launcher.add(s.p.size(), {s.p.bytes_begin(), s.v.bytes_begin(), s.g.bytes_begin()});
  });
}

void average(double alpha, const std::vector<std::pair<Tensor, Tensor>>& teacher_student) {
  if (teacher_student.empty()) return;
  engine::visit_float(teacher_student.front().first.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    SlotLauncher<2, AverageSlots<T>> launcher(AverageSlots<T>{{nullptr, nullptr, T(alpha), T(1 - alpha)}});
    for (const auto& [teacher, student] : teacher_student)
      launcher.add(teacher.size(), {teacher.bytes_begin(), student.bytes_begin()});
  });
}

}  // namespace sagcl::ops::cuda
