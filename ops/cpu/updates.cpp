#include "ops/cpu/updates.h"

#include <algorithm>

#include "engine/parallel.h"
#include "ops/cpu/vectorised.h"
#include "ops/kernels/updates.inl"

namespace sagcl::ops::cpu {
namespace {

/// A launcher that remembers the loops of the shared kernel instead of running them one by one.
template <class Element>
struct Pass {
  struct Part { Element element; std::int64_t begin, end; };
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

thread_local Pass<kernels::AdamElement<float>> narrow;
thread_local Pass<kernels::AdamElement<double>> wide;

struct Collect {
  static void for_each(std::int64_t n, const kernels::AdamElement<float>& element) { narrow.add(n, element); }
  static void for_each(std::int64_t n, const kernels::AdamElement<double>& element) { wide.add(n, element); }
};

}  // namespace

void adam(const AdamStep& step, const std::vector<AdamSlot>& slots) {
  kernels::adam<Collect>(step, slots);
  narrow.run(), wide.run();
  narrow.parts.clear(), wide.parts.clear();
}

}  // namespace sagcl::ops::cpu
