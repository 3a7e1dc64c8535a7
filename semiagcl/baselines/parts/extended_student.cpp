#include "semiagcl/baselines/parts/extended_student.h"

#include <string>

namespace sagcl::semiagcl {

std::vector<Phase> ExtendedStudent::phases() {
  // Departs from the papers: a warm-up comes first, as in every method here, and the consistency's weight rises over
  // method.ramp_share of the other steps; theirs rises from the start.
  Phase main{.name = settings_.train.method, .unlabelled = true};
  main.objective = [this](StepInput& in) {
    const std::vector<Variable> logits = outputs(in);
    std::vector<Term> terms = supervised_terms(in, logits);
    terms.push_back(consistency(in, logits));
    return terms;
  };
  Phase warm_up{.objective = [this](StepInput& in) { return supervised_terms(in, outputs(in)); }};
  for (const auto& [name, module] : modules()) warm_up.trained.push_back({name, module});
  return with_warm_up(settings_, nullptr, std::move(main), std::move(warm_up));
}

std::vector<Term> ExtendedStudent::supervised_terms(const StepInput& in, const std::vector<Variable>& logits) const {
  std::vector<Term> terms;
  for (const Variable& z : logits) {
    Term term = supervised_term(in, z);
    if (!terms.empty()) term.name += std::to_string(terms.size() + 1);
    term.weight = supervised_weight_;
    terms.push_back(std::move(term));
  }
  return terms;
}

}  // namespace sagcl::semiagcl
