#pragma once
#include <string>
#include <vector>

#include "autograd/gradcheck.h"
#include "tests/cases/op_cases.h"
#include "tools/inspect/inspected_step.h"

namespace sagcl::tools {

/// One gradient that was compared with difference quotients in f64.
struct CheckedGradient {
  std::string name;  ///< "op conv/3x3x3", "method mean-teacher: enc0.0.conv.w"
  double tolerance = 1e-7;
  autograd::GradcheckResult result;
};

/// Of cases of operations, losses, or modules with their parameters; those whose names fit `only`, if it is not empty. So
/// many `elements` of each input or parameter.
std::vector<CheckedGradient> check_cases(const std::string& kind, const std::vector<tests::OpCase>& cases,
                                         const std::string& only, std::int64_t elements);

/// Of the loss of the step that `subject` stands before, by parameter; `elements` of each.
std::vector<CheckedGradient> check_step(InspectedStep& subject, const std::string& only, std::int64_t elements);

/// Of the loss of every method, or of those whose names fit `only`: the last of some steps on phantoms. Methods that
/// cannot be checked so are left out, with the reason.
std::vector<CheckedGradient> check_methods(const std::string& only, std::int64_t elements);

/// The worst first, all that failed among them.
std::string gradcheck_text(std::vector<CheckedGradient> all);
std::string gradcheck_json(const std::vector<CheckedGradient>& all);

}  // namespace sagcl::tools
