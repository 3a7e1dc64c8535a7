#include "semiagcl/training/training_step.h"

#include "engine/devices/device_registry.h"
#include "engine/ranges.h"
#include "ops/arithmetic.h"
#include "ops/storage.h"
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
      replay_(device, settings.train.replay),
      tape_{.recompute = settings.train.recompute != "never", .keep = ops::storage(settings.train.storage)} {
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
    if (!measured_) measure();
  } catch (const engine::UsageError&) {  // an operation may refuse a NaN before it reaches the loss
    explain(shard_, random, false);
    throw;
  } catch (const engine::BackendError&) {
    explain(shard_, random, false);
    throw;
  }
}

/// train.recompute = auto, after the first step: a GPU on which two such steps would find room keeps what it computed. With
/// activations kept in 16 bits a norm's output and what it would be recomputed from differ, so there nothing changes.
void TrainingStep::measure() {
  measured_ = true;
  if (settings_.train.recompute != "auto" || device_.is_cpu() || settings_.train.storage != "f32") return;
  const engine::MemoryStatistics ours = engine::allocator(device_).statistics();
  tape_.recompute = 2 * ours.peak > engine::runtime(device_).room().free + ours.cached + ours.in_use;
}

std::vector<Term> TrainingStep::terms_of(const Objective& objective, const datasets::Batch& shard,
                                         const engine::Generator& random, Findings& found) {
  StepInput in{shard, student_, ramp_, schedule_, random.fork(0), random.fork(1), found};
  return objective(in);
}

void TrainingStep::differentiate(const engine::Generator& random) {
  found_ = {}, gradients_.clear(), values_ = {};
  for (const auto& [name, p] : optimisers_.parameters()) p->clear_grad();  // of a backward that failed
  engine::Range range("forward");
  autograd::Tape tape(tape_);
  const std::vector<Term> terms = terms_of(phase_.objective, shard_, random, found_);
  const Variable loss = total_loss(terms);
  ops::close_unless_finite(loss.value(), gate_);
  range.next("backward");
  const std::int64_t shards = settings_.train.shards;
  tape.backward(shards == 1 ? loss : ops::scale(loss, 1 / double(shards)));
  gradients_ = optimisers_.take_gradients();
  if (settings_.debug.check == "finite")
    for (const auto& [name, gradient] : gradients_) ops::close_unless_finite(gradient, gate_);
  values_.loss = loss.value();
  for (const Term& term : terms) values_.terms[term.name] = term.value.value();
}

void TrainingStep::update(const layers::NamedGradients& gradients, const std::vector<Findings>& shards) {
  engine::Range range("optimiser");
  optimisers_.apply(gradients, gate_);
  range.next("after update");
  if (phase_.after_update) phase_.after_update({student_, alpha_, gate_, shards});
}

GradientsOfTerms TrainingStep::gradients_of_terms(const datasets::Batch& shard, const engine::Generator& random,
                                                  const Objective& beside, const std::function<void()>& restore) {
  GradientsOfTerms all;
  const auto look = [&](const Objective& objective) {
    for (std::size_t i = 0, n = 1; i < n; ++i) {  // how many terms there are is known after the first forward
      autograd::Tape tape(tape_);
      Findings found;
      const std::vector<Term> terms = terms_of(objective, shard, random, found);
      n = terms.size();
      if (terms[i].weight == 0) {
        restore();
        continue;
      }
      if (const Variable term = weighted(terms[i]); term.wants_grad()) tape.backward(term);
      all.terms.push_back(terms[i].name);
      layers::NamedGradients& gradients = all.gradients.emplace_back();
      for (const auto& [name, p] : optimisers_.parameters())
        if (p->has_grad()) gradients[name] = p->grad(), p->clear_grad();
      restore();
    }
  };
  look(phase_.objective);
  if (beside) look(beside);
  for (const auto& [name, p] : layers::parameters_in_order(student_)) all.parameters.push_back(name);
  for (const TrainedModule& t : phase_.trained)
    for (const auto& [name, p] : layers::parameters_in_order(*t.module)) all.parameters.push_back(t.name + "." + name);
  return all;
}

layers::NamedGradients TrainingStep::observe(const datasets::Batch& shard, const engine::Generator& random,
                                             autograd::Observer& observer) {
  autograd::TapeOptions observed = tape_;
  observed.observer = &observer;
  autograd::Tape tape(observed);
  Findings found;
  tape.backward(total_loss(terms_of(phase_.objective, shard, random, found)));
  return optimisers_.take_gradients();
}

std::vector<CheckedParameter> TrainingStep::check_gradients(const datasets::Batch& shard, const engine::Generator& random,
                                                            const autograd::GradcheckOptions& options,
                                                            const std::function<bool(const std::string& parameter)>& wanted,
                                                            const std::function<void()>& restore) {
  std::vector<CheckedParameter> all;
  for (const auto& [name, p] : optimisers_.parameters()) {
    if (!wanted(name)) continue;
    const Variable own = *p;
    const auto loss = [&, p = p](const std::vector<Variable>& moved) {
      *p = moved[0];
      Findings found;
      const Variable value = total_loss(terms_of(phase_.objective, shard, random, found));
      restore();
      return value;
    };
    all.push_back({name, autograd::gradcheck(loss, {own.value()}, options)});
    *p = own;
    for (const auto& [other, q] : optimisers_.parameters()) q->clear_grad();
  }
  return all;
}

bool TrainingStep::gate_is_open() const { return gate_.to_doubles().front() != 0; }

void TrainingStep::open_gate() { gate_.copy_from(Tensor::full({1}, 1, gate_.dtype(), device_)); }

void TrainingStep::explain(const datasets::Batch& shard, const engine::Generator& random, bool certain) {
  explain_non_finite({.step = shard.step + 1, .batch = shard, .replayed = settings_.train.replay, .certain = certain},
                     [&](std::vector<Term>& terms) {
                       Findings found;
                       terms = terms_of(phase_.objective, shard, random, found);
                       return total_loss(terms);
                     });
}

}  // namespace sagcl::semiagcl
