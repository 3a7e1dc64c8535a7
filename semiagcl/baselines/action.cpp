#include "semiagcl/baselines/action.h"

#include "ops/layout.h"
#include "ops/softmax.h"
#include "semiagcl/baselines/parts/class_contrast.h"
#include "semiagcl/baselines/parts/cut_mix.h"

namespace sagcl::semiagcl {
namespace {

constexpr double w_contrast = 0.01, valid_from = 0.7;  // as released

}  // namespace

Phase Action::fine_tuning() {
  return {.name = "action",
          .unlabelled = true,
          .masks = true,
          .ramps = false,
          .objective = [this](StepInput& in) { return terms(in); },
          .after_update = [this](const StepUpdate& update) { teacher_.follow(update); },
          .trained = {{"dense_head", dense_head_.get()}}};
}

std::vector<Term> Action::terms(StepInput& in) {
  const Mixed m = mixed(in);
  layers::Stages stages;
  const Variable logits = in.forward(m.strong, &stages).logits;
  const Variable features = dense_head_->forward(stages, {.training = true});
  stages = {};
  const std::int64_t labelled = in.batch.labelled, unlabelled = logits.shape()[0] - labelled;

  const Variable rows = ops::reshape(features, {features.value().size() / features.shape().back(), features.shape().back()});
  const Tensor p = at_features(ops::softmax(Variable(logits.value())).value(), features);
  const Tensor valid = at_features(class_map(in, m.probabilities, valid_from), features);
  engine::Generator draws = in.random.fork(1);
  const Variable contrast = class_contrast(rows, reco_contrast(rows.value(), p, valid, draws));
  return {supervised_term(in, logits),
          {"pseudo", confident_cross_entropy(ops::slice(logits, 0, labelled, unlabelled), m.probabilities)},
          {"contrast", contrast, w_contrast}};
}

}  // namespace sagcl::semiagcl
