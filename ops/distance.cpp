#include "ops/distance.h"

#include "engine/operation_name.h"
#include "ops/backend.h"
#include "ops/checks.h"

namespace sagcl::ops {

using autograd::Gradients;
using autograd::record;
using autograd::recording;
using autograd::Saved;
using engine::require;
using engine::Shape;

Variable pairwise_distance(const Variable& a, const Variable& b, Metric metric) {
  const engine::OperationName name("pairwise_distance");
  checks::defined("pairwise_distance", "a", a);
  checks::defined("pairwise_distance", "b", b);
  checks::floating("pairwise_distance", a.value());
  checks::same_kind("pairwise_distance", "a", a.value(), "b", b.value());
  const Shape &as = a.shape(), &bs = b.shape();
  require(as.rank() == 3 && bs.rank() == 3 && as[0] == bs[0] && as[2] == bs[2],
          "pairwise_distance: a [G, N, D] and b [G, M, D] expected, got {} and {}", as, bs);
  Tensor d = Tensor::empty({as[0], as[1], bs[1]}, a.value().dtype(), a.value().device());
  backend(d.device()).pairwise_distance(metric, a.value(), b.value(), d);

  const bool wants_da = recording(a), wants_db = recording(b);
  const Saved saved_a = wants_da || wants_db ? a.saved() : Saved(), saved_b = wants_da || wants_db ? b.saved() : Saved();
  return record("pairwise_distance", {a, b}, d, [=](Tensor dd) -> Gradients {
    const Tensor from = saved_a.get(), to = saved_b.get();
    Tensor da = wants_da ? Tensor::empty_like(from) : Tensor(), db = wants_db ? Tensor::empty_like(to) : Tensor();
    backend(dd.device()).pairwise_distance_backward(metric, from, to, dd, da, db);
    return {da, db};
  });
}

Variable gaussian_kernel(const Variable& d, const Tensor& sigma2) {
  const engine::OperationName name("gaussian_kernel");
  checks::defined("gaussian_kernel", "d", d);
  checks::floating("gaussian_kernel", d.value());
  checks::same_kind("gaussian_kernel", "d", d.value(), "sigma2", sigma2);
  require(d.shape().rank() == 3 && sigma2.shape() == Shape{d.shape()[0]},
          "gaussian_kernel: d [G, N, M] and sigma2 [G] expected, got {} and {}", d.shape(), sigma2.shape());
  if (sigma2.device().is_cpu())
    for (double s : sigma2.to_doubles())
      require<engine::UsageError>(s > 0, "gaussian_kernel: sigma2 must be positive, got {}", s);
  Tensor k = Tensor::empty_like(d.value());
  backend(k.device()).gaussian_kernel(d.value(), sigma2, k);

  return record("gaussian_kernel", {d}, k, [k, sigma2](Tensor dk) -> Gradients {
    Tensor dd = Tensor::empty_like(k);
    backend(k.device()).gaussian_kernel_backward(k, sigma2, dk, dd);
    return {dd};
  });
}

}  // namespace sagcl::ops
