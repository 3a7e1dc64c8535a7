#include "semiagcl/copy_paste.h"

#include <algorithm>

#include "engine/show.h"
#include "ops/arithmetic.h"
#include "ops/layout.h"
#include "ops/selection.h"
#include "ops/softmax.h"
#include "semiagcl/evaluation/inference.h"
#include "semiagcl/training/phase.h"
#include "semiagcl/training/supervised_loss.h"

namespace sagcl::semiagcl {

using engine::Dtype;

namespace {

Tensor twice(const Tensor& x) { return ops::concat({Variable(x), Variable(x)}, 0).value(); }

Tensor uncounted_like(const Tensor& labels) { return Tensor::full(labels.shape(), -1, labels.dtype(), labels.device()); }

/// Labels i32 [N,D,H,W], those of the largest components of `classified`, which has a class everywhere; the host looks at
/// them. -1 stays.
Tensor in_largest_components(const Tensor& labels, const Tensor& classified, std::int64_t classes) {
  const engine::Shape& s = labels.shape();
  const std::int64_t voxels = labels.size() / s[0];
  Tensor all = labels.to(engine::Device::cpu()).clone();
  const Tensor whole = classified.to(engine::Device::cpu()).to(Dtype::u8);
  for (std::int64_t n = 0; n < s[0]; ++n) {
    Tensor one = Tensor::empty({s[1], s[2], s[3]}, Dtype::u8);
    std::copy_n(whole.data<std::uint8_t>() + n * voxels, voxels, one.data<std::uint8_t>());
    one = largest_components(std::move(one), classes);
    for (std::int64_t i = 0; i < voxels; ++i)
      if (std::int32_t& label = all.data<std::int32_t>()[n * voxels + i]; label >= 0) label = one.data<std::uint8_t>()[i];
  }
  return all.to(labels.device());
}

}  // namespace

BothWays::BothWays(const Tensor& masks) {
  const Variable outside(masks), one(Tensor::full(masks.shape(), 1, masks.dtype(), masks.device()));
  labelled_ = ops::concat({outside, ops::subtract(one, outside)}, 0).value();
}

Tensor BothWays::mix(const Tensor& labelled, const Tensor& unlabelled) const {
  return ops::choose(labelled_, twice(labelled), twice(unlabelled));
}

Tensor BothWays::mix(const Tensor& batch) const {
  const std::int64_t n = labelled_.shape()[0] / 2;
  return mix(samples(batch, 0, n), samples(batch, n, n));
}

// Departs from the paper: it says nothing of M but its size; this is the code it quotes with our L_sup. Its losses are means
// over one direction each; over both together no class is absent from a region, where Dice would be steep.
Variable BothWays::labelled_loss(const Variable& logits, const Tensor& truth) const {
  const Tensor labels = twice(truth);
  return supervised_loss(logits, ops::choose(labelled_, labels, uncounted_like(labels)));
}

Variable BothWays::unlabelled_loss(const Variable& logits, const Tensor& pseudo) const {
  const Tensor labels = twice(pseudo);
  return supervised_loss(logits, ops::choose(labelled_, uncounted_like(labels), labels));
}

Tensor pseudo_labels(const Tensor& probabilities, bool largest_component, double least) {
  Tensor labels = ops::most_likely(probabilities, least);
  if (largest_component)
    labels = in_largest_components(labels, ops::most_likely(probabilities), probabilities.shape().back());
  engine::show("pseudo_labels", labels);
  return labels;
}

}  // namespace sagcl::semiagcl
