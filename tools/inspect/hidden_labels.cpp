#include <map>

#include "datasets/placement.h"
#include "ops/layout.h"
#include "semiagcl/copy_paste.h"
#include "semiagcl/training/supervised_loss.h"
#include "tools/inspect/grads.h"

namespace sagcl::tools {

using engine::Tensor;
using semiagcl::StepInput;

semiagcl::Objective objective_with_hidden_labels(InspectedStep& subject) {
  const semiagcl::Phases& phases = subject.trainer().phases();
  engine::require<engine::UsageError>(phases[phases.at(subject.trainer().steps_done())].unlabelled,
                                      "--truth: this step has labelled samples alone; look at a later one (--step)");
  std::map<std::string, Tensor> labels;
  for (const auto& sample : load_cases(subject.data(), subject.data().split.unlabelled, subject.settings(), true))
    labels[sample.id] = sample.label;
  return [labels](StepInput& in) -> std::vector<semiagcl::Term> {
    const datasets::Batch& batch = in.batch;
    const auto& shape = batch.weak.shape();
    const engine::Extents crop{{shape[1], shape[2], shape[3]}};
    std::vector<autograd::Variable> truth;
    for (std::int64_t i = batch.labelled; i < shape[0]; ++i) {
      const Tensor cut = datasets::cut(labels.at(batch.ids[std::size_t(i)]), crop, batch.places[std::size_t(i)]);
      truth.emplace_back(cut.to(engine::Dtype::i32).reshape({1, shape[1], shape[2], shape[3]}).to(batch.weak.device()));
    }
    const Tensor hidden = ops::concat(truth, 0).value();
    if (batch.mask.defined()) {
      const semiagcl::BothWays both(batch.mask);
      return {{"truth", both.unlabelled_loss(in.forward(both.mix(batch.strong)).logits, hidden)}};
    }
    const autograd::Variable logits = in.forward(batch.strong).logits;
    return {{"truth", semiagcl::supervised_loss(ops::slice(logits, 0, batch.labelled, shape[0] - batch.labelled), hidden)}};
  };
}

}  // namespace sagcl::tools
