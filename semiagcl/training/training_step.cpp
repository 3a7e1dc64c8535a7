#include "semiagcl/training/training_step.h"

#include "engine/devices/device_registry.h"
#include "engine/ranges.h"
#include "ops/arithmetic.h"
#include "ops/updates.h"
#include "semiagcl/training/non_finite.h"

namespace sagcl::semiagcl {

TrainingStep::TrainingStep(const RunSettings& settings, layers::Segmenter& student, const Phase& phase,
                           engine::Device device)
    : settings_(settings),
      student_(student),
      phase_(phase),
      device_(device),
      optimisers_(settings.train, student, phase.trained),
      replay_(device, settings.train.replay) {
  for (Tensor* number : {&ramp_, &schedule_, &alpha_, &gate_}) *number = Tensor::full({1}, 1, engine::Dtype::f64, device);
}

void TrainingStep::prepare(const Numbers& numbers) {
  const auto set = [&](Tensor& number, double value) {
    engine::runtime(device_).copy_from_host(number.bytes_begin(), &value, sizeof value);
  };
  set(ramp_, numbers.ramp);
  set(schedule_, numbers.schedule);
  set(alpha_, numbers.alpha);
  optimisers_.prepare(numbers.learning_rate);
}

void TrainingStep::take(datasets::Batch shard) {
  if (settings_.train.replay && shard_.weak.defined())
    for (Tensor datasets::Batch::*part : datasets::Batch::tensors) {
      if (!(shard.*part).defined()) continue;
      (shard_.*part).copy_from(shard.*part);
      shard.*part = shard_.*part;
    }
  shard_ = std::move(shard);
}

void TrainingStep::run(const engine::Generator& random, const std::function<void(const engine::Generator&)>& work) {
  try {
    replay_.run(random, work);
  } catch (const engine::UsageError&) {  // an operation may refuse a NaN before it reaches the loss
    explain(shard_, random, false);
    throw;
  } catch (const engine::BackendError&) {
    explain(shard_, random, false);
    throw;
  }
}

Variable TrainingStep::loss_of(const datasets::Batch& shard, const engine::Generator& random, std::vector<Term>& terms,
                               Findings& found) {
  StepInput in{shard, student_, ramp_, schedule_, random.fork(0), random.fork(1), found};
  terms = phase_.objective(in);
  return total_loss(terms);
}

void TrainingStep::differentiate(const engine::Generator& random) {
  std::vector<Term> terms;
  found_ = {}, gradients_.clear(), values_ = {};
  for (const auto& [name, p] : optimisers_.parameters()) p->clear_grad();  // of a backward that failed
  engine::Range range("forward");
  autograd::Tape tape;
  const Variable loss = loss_of(shard_, random, terms, found_);
  ops::close_unless_finite(loss.value(), gate_);
  range.next("backward");
  const std::int64_t shards = settings_.train.shards;
  tape.backward(shards == 1 ? loss : ops::scale(loss, 1 / double(shards)));
  gradients_ = optimisers_.take_gradients();
  values_.loss = loss.value();
  for (const Term& term : terms) values_.terms[term.name] = term.value.value();
}

void TrainingStep::update(const layers::NamedGradients& gradients, const std::vector<Findings>& shards) {
  engine::Range range("optimiser");
  optimisers_.apply(gradients, gate_);
  range.next("after update");
  if (phase_.after_update) phase_.after_update({student_, alpha_, gate_, shards});
}

void TrainingStep::open_gate() { gate_.copy_from(Tensor::full({1}, 1, gate_.dtype(), device_)); }

void TrainingStep::explain(const datasets::Batch& shard, const engine::Generator& random, bool certain) {
  explain_non_finite({.step = shard.step + 1, .batch = shard, .replayed = settings_.train.replay, .certain = certain},
                     [&](std::vector<Term>& terms) {
                       Findings found;
                       loss_of(shard, random, terms, found);
                     });
}

}  // namespace sagcl::semiagcl
