#include "semiagcl/supervised_loss.h"

#include <algorithm>

#include "engine/parallel.h"
#include "ops/arithmetic.h"
#include "ops/cross_entropy.h"
#include "ops/dice.h"
#include "ops/softmax.h"

namespace sagcl::semiagcl {

Variable supervised_loss(const Variable& logits, const Tensor& labels) {
  const Variable ce = ops::cross_entropy(logits, labels);
  const Variable dice = ops::dice_loss(ops::softmax(logits), labels, {.first_channel = logits.shape().back() == 2 ? 1 : 0});
  return ops::scale(ops::add(ce, dice), 0.5);
}

Tensor most_likely(const Tensor& p, double least) {
  const engine::Shape& s = p.shape();
  engine::require(s.rank() >= 1 && s.back() > 0, "most_likely: expected [.., classes], got {}", s);
  const std::int64_t C = s.back();
  const Tensor host = p.to(engine::Device::cpu());
  Tensor y = Tensor::empty(engine::Shape(std::span(s.begin(), s.end() - 1)), engine::Dtype::i32);
  visit_float(p.dtype(), [&]<class T>(engine::Type<T>) {
    engine::parallel_for(y.size(), 1 << 14, [&](std::int64_t i) {
      const T* row = host.data<T>() + i * C;
      const T* best = std::max_element(row, row + C);
      y.data<std::int32_t>()[i] = *best < T(least) ? -1 : std::int32_t(best - row);
    });
  });
  return y.to(p.device());
}

}  // namespace sagcl::semiagcl
