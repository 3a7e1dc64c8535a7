#include "semiagcl/baselines/parts/class_contrast.h"

#include <cmath>
#include <vector>

#include "ops/arithmetic.h"
#include "ops/gather.h"
#include "ops/layout.h"
#include "ops/matmul.h"
#include "ops/reduce.h"
#include "ops/resize.h"
#include "ops/selection.h"
#include "semiagcl/contrastive_loss.h"

namespace sagcl::semiagcl {
namespace {

constexpr double hard_below = 0.97;

Tensor unit(const Tensor& rows) { return ops::l2_normalise(Variable(rows)).value(); }

Tensor ones(const engine::Shape& shape, const Tensor& like) { return Tensor::full(shape, 1, like.dtype(), like.device()); }

}  // namespace

Tensor product(const Tensor& a, const Tensor& b) { return ops::multiply(Variable(a), Variable(b)).value(); }

Variable class_contrast(const Variable& features, const ClassContrast& c) {
  const std::int64_t K = c.queries.shape()[0], Q = c.queries.shape()[1], e = features.shape()[1];
  const Variable queries = ops::l2_normalise(ops::gather(features, c.queries.reshape({K * Q})));
  const Tensor positives = unit(c.positives), negatives = unit(c.negatives);
  std::vector<Variable> losses;
  for (std::int64_t k = 0; k < K; ++k) {
    const Contrast one{.keys = samples(positives, k, 1),
                       .weights = ones({Q, 1}, positives),
                       .shared = samples(negatives, k, 1).reshape({negatives.shape()[1], e}),
                       .tau = contrast_tau};
    losses.push_back(ops::reshape(ops::mean(contrastive_losses(ops::slice(queries, 0, k * Q, Q), one)), {1}));
  }
  return ops::divide(ops::sum(ops::multiply(ops::concat(losses, 0), Variable(c.usable))), Variable(c.classes));
}

Tensor any_row(const Tensor& weights) {
  const Tensor sums = ops::sum_axis(Variable(weights), 0).value();
  const Tensor least = Tensor::full({1}, 1e-30, engine::Dtype::f64, weights.device());
  const Tensor none = ops::below(sums, least, 1).reshape(sums.shape());
  return ops::subtract(Variable(ones(sums.shape(), sums)), Variable(none)).value();
}

Tensor repeated(const Tensor& x, std::int64_t columns) {
  return ops::matmul(Variable(x.reshape({x.size(), 1})), Variable(ones({1, columns}, x))).value();
}

Tensor class_sums(const Tensor& features, const Tensor& valid) {
  return ops::matmul(Variable(valid), Variable(features), {.transpose_a = true}).value();
}

Tensor negative_weights(const Tensor& sums, const Tensor& valid) {
  const Variable means(unit(sums));
  const Variable similar = ops::exp(ops::scale(ops::matmul(means, means, {.transpose_b = true}), 1 / contrast_tau));
  const Tensor count = ops::clamp(ops::sum_axis(Variable(valid), 0).value(), 1, INFINITY);
  const Variable of_voxel = ops::divide(similar, Variable(repeated(count, count.size())));  // [class of the voxel, k]
  const Variable all = ops::matmul(Variable(valid), of_voxel);
  return ops::multiply(all, ops::subtract(Variable(ones(valid.shape(), valid)), Variable(valid))).value();
}

// Departs from the paper: the negatives of a class are drawn once and shared by its queries; theirs, 512 for each of 256
// queries, would be 268 MB per class. Classes without queries, and a class that is alone, count 0 as there.
ClassContrast reco_contrast(const Tensor& features, const Tensor& p, const Tensor& valid, engine::Generator& random) {
  const autograd::NoGrad no_grad;
  const std::int64_t K = valid.shape()[1], e = features.shape()[1];
  const Tensor limit = Tensor::full({1}, hard_below, engine::Dtype::f64, features.device());
  const Tensor hard = product(valid, ops::below(p, limit, 1).reshape(p.shape()));
  const Tensor sums = class_sums(features, valid), weights = negative_weights(sums, valid);
  const Tensor queries = ops::draw_rows(hard, places(K, queries_per_class, Drawing::plain, random, hard));
  const Tensor drawn = ops::draw_rows(weights, places(K, negatives_per_class, Drawing::plain, random, weights));
  const Variable negatives = ops::gather(Variable(features), drawn.reshape({drawn.size()}));
  return {.queries = queries,
          .positives = sums,
          .negatives = negatives.value().reshape({K, negatives_per_class, e}),
          .usable = product(any_row(hard), any_row(weights)),
          .classes = ops::clamp(ops::sum(Variable(any_row(valid))).value(), 1, INFINITY)};
}

Tensor at_features(const Tensor& map, const Variable& features) {
  const engine::Shape& s = features.shape();
  const Variable there =
      ops::resize(Variable(map), {.out = {{s[1], s[2], s[3]}}, .interpolation = ops::Interpolation::nearest});
  return there.value().reshape({there.value().size() / map.shape().back(), map.shape().back()});
}

}  // namespace sagcl::semiagcl
