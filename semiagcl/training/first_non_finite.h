#pragma once
#include <cmath>

#include "autograd/tape.h"

namespace sagcl::semiagcl {

/// Remembers the first recorded operation whose result is not finite.
class FirstNonFinite final : public autograd::Observer {
 public:
  void after_forward(const Step& step, const engine::Tensor& y) override {
    if (!found.empty() || y.dtype() == engine::Dtype::i32 || y.dtype() == engine::Dtype::u8) return;
    std::int64_t bad = 0, first = -1, i = 0;
    for (double v : y.to_doubles()) {
      if (!std::isfinite(v) && bad++ == 0) first = i;
      ++i;
    }
    if (bad == 0) return;
    found = fmt::format("operation {} (record {}{}{}) gave {} NaN or infinite of {} values, the first at element {} of {}",
                        step.op, step.record, step.scope.empty() ? "" : ", in ", step.scope, bad, y.size(), first, y.shape());
  }
  std::string found;
};

}  // namespace sagcl::semiagcl
