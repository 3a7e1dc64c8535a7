#include "semiagcl/contrastive_loss.h"

#include <algorithm>
#include <cmath>

#include "ops/arithmetic.h"
#include "ops/layout.h"
#include "ops/matmul.h"
#include "ops/reduce.h"
#include "ops/softmax.h"

namespace sagcl::semiagcl {

using engine::require;
using engine::UsageError;

namespace {

void check(const Variable& q, const Contrast& c) {
  const engine::Shape& s = q.shape();
  require(s.rank() == 2, "contrastive_losses: anchors must be [B, dim], got {}", s);
  require(c.keys.defined() && c.keys.shape().rank() == 2 && c.keys.shape()[1] == s[1],
          "contrastive_losses: keys must be [R, {}], got {}", s[1], c.keys.shape());
  require(c.weights.shape() == engine::Shape{s[0], c.keys.shape()[0]},
          "contrastive_losses: weights must be [{}, {}], got {}", s[0], c.keys.shape()[0], c.weights.shape());
  require(!c.own.defined() || (c.own.shape().rank() == 3 && c.own.shape()[0] == s[0] && c.own.shape()[2] == s[1]),
          "contrastive_losses: own negatives must be [{}, M, {}], got {}", s[0], s[1], c.own.shape());
  require(!c.shared.defined() || (c.shared.shape().rank() == 2 && c.shared.shape()[1] == s[1]),
          "contrastive_losses: shared negatives must be [M, {}], got {}", s[1], c.shared.shape());
  require<UsageError>((c.own.defined() && c.own.size() > 0) || (c.shared.defined() && c.shared.size() > 0),
                      "contrastive_losses: there are no negatives");
  require<UsageError>(!c.shared_mask.defined() || c.own.defined(),
                      "contrastive_losses: a mask needs own negatives, which it spares");
  require<UsageError>(c.tau > 0, "contrastive_losses: tau is {}, it must be above 0", c.tau);
}

/// log Σ_n e^{z_n} of each row: z_0 minus its log-softmax. [B, M] -> [B, 1]
Variable log_sum_exp(const Variable& z) {
  return ops::subtract(ops::slice(z, 1, 0, 1), ops::slice(ops::log_softmax(z), 1, 0, 1));
}

}  // namespace

Variable contrastive_losses(const Variable& q, const Contrast& c) {
  check(q, c);
  const std::int64_t B = q.shape()[0], dim = q.shape()[1], R = c.keys.shape()[0];
  const Variable scaled = ops::scale(q, 1 / c.tau);

  std::vector<Variable> parts;  // q·n/τ over all negatives of an anchor; its own come first, no mask hides z_0
  if (c.own.defined()) {
    const Variable z = ops::matmul(ops::reshape(scaled, {B, 1, dim}), Variable(c.own), {.transpose_b = true});
    parts.push_back(ops::reshape(z, {B, c.own.shape()[1]}));
  }
  if (c.shared.defined()) {
    const Variable z = ops::matmul(scaled, Variable(c.shared), {.transpose_b = true});
    parts.push_back(c.shared_mask.defined() ? ops::add(z, Variable(c.shared_mask)) : z);
  }
  const Variable negative = log_sum_exp(parts.size() == 1 ? parts[0] : ops::concat(parts, 1));  // [B, 1]

  // Every anchor meets every key: positive and summed negatives are a two-way softmax, of which the positives count.
  const Variable positive = ops::matmul(scaled, Variable(c.keys), {.transpose_b = true});  // [B, R]
  const Variable ones(Tensor::full({1, R}, 1, q.value().dtype(), q.value().device()));
  const Variable two =
      ops::concat({ops::reshape(positive, {B * R, 1}), ops::reshape(ops::matmul(negative, ones), {B * R, 1})}, 1);
  const Variable loss = ops::scale(ops::slice(ops::log_softmax(two), 1, 0, 1), -1);  // Eq. 4, Eq. 7
  // Departs from the paper: it speaks of one k⁺; an anchor's loss is the weighted sum over all its positives.
  return ops::sum_axis(ops::multiply(ops::reshape(loss, {B, R}), Variable(c.weights)), 1);
}

ClosedForm contrastive_gradient(const Tensor& q, const Tensor& k, const Tensor& negatives, double tau) {
  require(q.shape().rank() == 2 && q.shape() == k.shape() && negatives.shape().rank() == 2 &&
              negatives.shape()[1] == q.shape()[1],
          "contrastive_gradient: q {} and k {} must be [B, dim], negatives {} [M, dim]", q.shape(), k.shape(),
          negatives.shape());
  const std::int64_t B = q.shape()[0], dim = q.shape()[1], M = negatives.shape()[0];
  const std::vector<double> anchor = q.to_doubles(), key = k.to_doubles(), bank = negatives.to_doubles();
  std::vector<double> dq(std::size_t(B * dim), 0.0), p(std::size_t(B * (1 + M)));
  for (std::int64_t b = 0; b < B; ++b) {
    double* row = p.data() + b * (1 + M);
    const auto vector = [&](std::int64_t m) { return m == 0 ? key.data() + b * dim : bank.data() + (m - 1) * dim; };
    for (std::int64_t m = 0; m <= M; ++m) {
      row[m] = 0;
      for (std::int64_t d = 0; d < dim; ++d) row[m] += anchor[std::size_t(b * dim + d)] * vector(m)[d] / tau;
    }
    const double top = *std::max_element(row, row + 1 + M);
    double total = 0;
    for (std::int64_t m = 0; m <= M; ++m) total += row[m] = std::exp(row[m] - top);
    for (std::int64_t m = 0; m <= M; ++m) row[m] /= total;
    for (std::int64_t d = 0; d < dim; ++d) {
      double s = (1 - row[0]) * vector(0)[d];
      for (std::int64_t m = 1; m <= M; ++m) s -= row[m] * vector(m)[d];
      dq[std::size_t(b * dim + d)] = -s / tau;  // Eq. 5
    }
  }
  return {Tensor::of(q.shape(), dq).to(q.dtype()), Tensor::of({B, 1 + M}, p).to(q.dtype())};
}

}  // namespace sagcl::semiagcl
