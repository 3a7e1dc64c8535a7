#pragma once
#include <functional>
#include <string>
#include <vector>

#include "autograd/tape.h"

namespace sagcl::autograd {

/// Where an analytic gradient and a difference quotient disagree most.
struct GradcheckResult {
  bool passed = true;
  /// largest relative error found, |analytic - numeric| / max(scale of that input's gradient, 1e-3)
  double worst = 0;
  int input = -1;             ///< which input
  std::int64_t element = -1;  ///< which element of it
  double at = 0;              ///< its value
  double analytic = 0, numeric = 0;
  std::int64_t elements = 0;  ///< compared
  std::int64_t kinks = 0;     ///< of these lie so near a kink that only a smaller step, or one side, agrees: no errors
  std::string text() const;   ///< one line for people
};

struct GradcheckOptions {
  double step = 1e-4;                ///< of the five-point difference quotient, times max(1, |x|)
  double tolerance = 1e-7;           ///< relative
  std::int64_t most_elements = 400;  ///< per input; larger inputs are probed at evenly spread elements
};

/// Compares the backward of `f` with difference quotients, in double precision, for every input. `f` may return any
/// shape: a fixed random weighting makes it a scalar. Each input must be f64 (DtypeError): in single precision the
/// comparison would need tolerances that let real mistakes through.
///
/// Where they disagree the step is halved up to ten times: a kink (a rectifier, a maximum, a threshold) moves out of reach,
/// or at x itself the analytic value lies between the quotients of the two sides; a wrong gradient stays wrong.
GradcheckResult gradcheck(const std::function<Variable(const std::vector<Variable>&)>& f, const std::vector<Tensor>& inputs,
                          const GradcheckOptions& options = {});

}  // namespace sagcl::autograd
