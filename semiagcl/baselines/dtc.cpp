#include "semiagcl/baselines/dtc.h"

#include "ops/activation.h"
#include "ops/arithmetic.h"
#include "ops/layout.h"
#include "ops/reduce.h"
#include "ops/softmax.h"

namespace sagcl::semiagcl {
namespace {

constexpr double steepness = 1500;        // k of the paper's T, as released
constexpr double consistency_weight = 1;  // lambda_d, before the ramp-up

}  // namespace

Variable dual_task_loss(const Variable& logits, const Variable& distances) {
  // Departs from the paper: several classes and images are a reconstruction, T of every foreground class against its share
  // of the softmax; theirs is one class, against a sigmoid.
  const Variable inside = ops::sigmoid(ops::scale(distances, -steepness));
  const Variable foreground = ops::slice(ops::softmax(logits), -1, 1, distances.shape().back());
  return ops::mean(ops::square(ops::subtract(inside, foreground)));
}

std::vector<Phase> DualTaskConsistency::phases() {
  const auto terms = [this](StepInput& in) {
    const DistanceHead::Output seen = head_.forward(in);
    std::vector<Term> all = supervised_terms(in, seen);
    // Departs from the paper: the ramp-up takes method.ramp_share of the steps; theirs is over the first 6,000.
    all.push_back({"dual", dual_task_loss(seen.logits, seen.distances), consistency_weight, in.ramp});
    return all;
  };
  return with_distances(settings_, head_, {.name = settings_.train.method, .unlabelled = true, .objective = terms});
}

}  // namespace sagcl::semiagcl
