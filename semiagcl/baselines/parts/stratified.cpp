#include "semiagcl/baselines/parts/stratified.h"

#include <vector>

#include "engine/error.h"
#include "ops/arithmetic.h"
#include "ops/layout.h"
#include "ops/selection.h"

namespace sagcl::semiagcl {

using autograd::Variable;
using engine::Tensor;

Tensor places(std::int64_t rows, std::int64_t n, Drawing drawing, engine::Generator& random, const Tensor& like) {
  const auto uniform = [&](std::int64_t count, double low, double high) {
    return ops::uniform_like(Tensor::empty({rows, count}, like.dtype(), like.device()), random.next_key(), low, high);
  };
  if (drawing == Drawing::plain) return uniform(n, 0, 1);
  engine::require<engine::UsageError>(n % (2 * strata) == 0, "places: {} draws cannot be divided into {} strata of pairs", n,
                                      strata);
  // Departs from the paper: its code lays the list out as a square and cuts 4 x 4 cells of it; here a stratum is a stretch
  // of the list, so that none is empty.
  std::vector<Variable> parts;
  for (std::int64_t s = 0; s < strata; ++s) {
    const double low = double(s) / strata, high = double(s + 1) / strata;
    if (drawing == Drawing::stratified) {
      parts.push_back(Variable(uniform(n / strata, low, high)));
      continue;
    }
    parts.push_back(Variable(uniform(n / (2 * strata), low, high)));
    parts.push_back(ops::add_scalar(ops::scale(parts.back(), -1), low + high));
  }
  return ops::concat(parts, 1).value();
}

}  // namespace sagcl::semiagcl
