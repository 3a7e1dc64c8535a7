#include "semiagcl/copy_paste.h"

#include <algorithm>

#include "ops/arithmetic.h"
#include "ops/selection.h"
#include "ops/softmax.h"
#include "semiagcl/evaluation/inference.h"
#include "semiagcl/training/supervised_loss.h"

namespace sagcl::semiagcl {

using engine::Dtype;

Variable mixed_loss(const Variable& logits, const Tensor& labels, const Tensor& mask, double w_outside, double w_inside) {
  const Tensor not_counted = Tensor::full(labels.shape(), -1, Dtype::i32, labels.device());
  // Departs from the paper: it says nothing of M but its size; this is the code it quotes, with our L_sup in the place of
  // its.
  const Variable outside = supervised_loss(logits, ops::choose(mask, labels, not_counted));
  const Variable inside = supervised_loss(logits, ops::choose(mask, not_counted, labels));
  return ops::add(ops::scale(outside, w_outside), ops::scale(inside, w_inside));
}

Tensor pseudo_labels(const Tensor& probabilities, bool largest_component) {
  const Tensor labels = ops::most_likely(probabilities);
  if (!largest_component) return labels;
  const engine::Shape& s = labels.shape();
  const std::int64_t voxels = labels.size() / s[0], classes = probabilities.shape().back();
  Tensor all = labels.to(engine::Device::cpu()).to(Dtype::u8);
  for (std::int64_t n = 0; n < s[0]; ++n) {
    Tensor one = Tensor::empty({s[1], s[2], s[3]}, Dtype::u8);
    std::copy_n(all.data<std::uint8_t>() + n * voxels, voxels, one.data<std::uint8_t>());
    one = largest_components(std::move(one), classes);
    std::copy_n(one.data<std::uint8_t>(), voxels, all.data<std::uint8_t>() + n * voxels);
  }
  return all.to(Dtype::i32).to(labels.device());
}

}  // namespace sagcl::semiagcl
