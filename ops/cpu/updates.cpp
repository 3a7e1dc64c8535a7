#include "ops/cpu/cpu_backend.h"

#include <algorithm>

#include "engine/parallel.h"
#include "ops/cpu/vectorised.h"
#include "ops/kernels/updates.inl"

namespace sagcl::ops::cpu {
namespace {

/// A launcher that remembers the loops of the shared kernel instead of running them one by one.
template <class Element>
struct Pass {
  struct Part {
    Element element;
    std::int64_t begin, end;
  };
  std::vector<Part> parts;

  void add(std::int64_t n, const Element& element) {
    constexpr std::int64_t most = 16384;
    for (std::int64_t begin = 0; begin < n; begin += most) parts.push_back({element, begin, std::min(n, begin + most)});
  }
  void run() const {
    engine::parallel_for(std::int64_t(parts.size()), 2, [&](std::int64_t p) {
      const Part part = parts[std::size_t(p)];
      vectorised([part] {
        for (std::int64_t i = part.begin; i < part.end; ++i) part.element(i);
      });
    });
  }
};

template <class Element>
thread_local Pass<Element> pass;

struct Collect {
  template <class Element>
  static void for_each(std::int64_t n, kernels::Update<Element> update) {
    if (update.load()) pass<Element>.add(n, update.element);
  }
};

/// What `collect` collects of each kind of element; what an earlier call left behind when it threw is gone.
template <class... Elements, class F>
void in_passes(F collect) {
  (pass<Elements>.parts.clear(), ...);
  collect();
  (pass<Elements>.run(), ...);
  (pass<Elements>.parts.clear(), ...);
}

}  // namespace

void CpuBackend::adam(const AdamSpec& spec, const Tensor& rates, const Tensor& gate, const std::vector<AdamSlot>& slots) {
  in_passes<kernels::AdamElement<float>, kernels::AdamElement<double>>(
      [&] { kernels::adam<Collect>(spec, rates, gate, slots); });
}

void CpuBackend::sgd(const SgdSpec& spec, const Tensor& lr, const Tensor& gate, const std::vector<SgdSlot>& slots) {
  in_passes<kernels::SgdElement<float>, kernels::SgdElement<double>>([&] { kernels::sgd<Collect>(spec, lr, gate, slots); });
}

void CpuBackend::average(const Tensor& alpha, const Tensor& gate,
                         const std::vector<std::pair<Tensor, Tensor>>& teacher_student) {
  in_passes<kernels::AverageElement<float>, kernels::AverageElement<double>>(
      [&] { kernels::average<Collect>(alpha, gate, teacher_student); });
}

}  // namespace sagcl::ops::cpu
