#pragma once
#include <functional>
#include <string>

#include "datasets/batches.h"
#include "semiagcl/training/objective.h"

namespace sagcl::semiagcl {

/// A step whose loss or gradients were not finite, or that failed, seen a second time.
struct NonFiniteSearch {
  std::int64_t step = 0;  ///< of the message, counted from 1
  const datasets::Batch& batch;
  bool replayed = false;  ///< the step was replayed, so the fault may lie there
  bool certain = false;   ///< something is known not to be finite
};

/// Computes loss and gradients again under observation (`loss` puts its terms where it is told and returns their sum) and
/// throws NonFiniteError naming the first operation, forward or backward, with a result that is NaN or infinite: its module
/// and line, what it was given, the voxel and the case of the first bad value, and what usually is the cause; then the terms
/// and the cases of the batch. Returns where all is finite, unless the search was certain: then something else went wrong.
void explain_non_finite(const NonFiniteSearch& search, const std::function<Variable(std::vector<Term>& terms)>& loss);

}  // namespace sagcl::semiagcl
