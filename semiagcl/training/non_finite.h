#pragma once
#include <functional>
#include <string>

#include "datasets/batches.h"
#include "semiagcl/training/objective.h"

namespace sagcl::semiagcl {

/// A loss that was not finite, or a step that failed, seen a second time.
struct NonFiniteSearch {
  std::int64_t step = 0;  ///< of the message, counted from 1
  const datasets::Batch& batch;
  bool replayed = false;  ///< the step was replayed, so the fault may lie there
  bool certain = false;   ///< the loss is known not to be finite
};

/// Computes the loss again under observation (`loss` puts its terms where it is told) and throws NonFiniteError naming the
/// first operation with a result that is NaN or infinite, the terms and the cases of the batch. Returns where all is finite,
/// unless the search was certain: then something else went wrong.
void explain_non_finite(const NonFiniteSearch& search, const std::function<void(std::vector<Term>& terms)>& loss);

}  // namespace sagcl::semiagcl
