#pragma once
#include <string>

#include "tools/inspect/inspected_step.h"

namespace sagcl::tools {

/// What a layer's weights are and what the step does to them.
struct LayerState {
  std::string name;
  std::int64_t weights = 0;
  double norm = 0;                   ///< ‖w‖
  double update = 0;                 ///< ‖Δw‖ / ‖w‖ of the step; NaN where none was taken or the weights are 0
  std::int64_t zeros = 0;            ///< weights whose gradient is exactly 0
  std::int64_t not_finite = 0;       ///< weights whose gradient is NaN or infinite
  bool reached = false;              ///< some term has a gradient here
  std::int64_t units = 0, dead = 0;  ///< output channels; those where the whole gradient is exactly 0
  std::vector<std::int64_t> decades = {};  ///< how many |g| lie in [10^k, 10^(k+1)), k from lowest_decade
};
constexpr int lowest_decade = -10, decades = 12;

/// The gradients of one step, looked at from all sides.
struct GradientReport {
  std::string subject;  ///< InspectedStep::text
  std::int64_t step = 0;
  std::int64_t batches = 1;
  semiagcl::TermGradients terms;  ///< the first `own` terms are of the loss
  std::size_t own = 0;
  std::vector<LayerState> layers;                            ///< of the student, in its order
  std::int64_t teacher_parameters = 0, teacher_reached = 0;  ///< how many there are, and how many received a gradient
};

struct GradientOptions {
  bool truth = false;        ///< beside the terms the gradient of L_sup with the labels that the unlabelled cases hide
  std::int64_t batches = 1;  ///< sums over so many, the step's and those of the steps behind it, the weights as they are
  std::size_t depth = 0;     ///< of module names; 0: whole
};

/// Looks at the step that `subject` stands before, and takes it to see what it changes, unless the run is finished.
GradientReport gradient_report(InspectedStep& subject, const GradientOptions& options);

std::string gradient_text(const GradientReport& report);
std::string gradient_json(const GradientReport& report);

/// L_sup of the unlabelled samples in the strong view, or of what is seen of them in mixed images, with their true labels:
/// what a perfect teacher would ask for. The labels of the unlabelled cases are read for it: DataError where one has none.
/// UsageError where the step has no unlabelled samples.
semiagcl::Objective objective_with_hidden_labels(InspectedStep& subject);

}  // namespace sagcl::tools
