#include <list>

#include "engine/show.h"
#include "semiagcl/training/checkpoint.h"
#include "semiagcl/training/trainer.h"

// What a trainer tells of a step that changes nothing: gradients of terms, operations, tensors, hashes.
namespace sagcl::semiagcl {

void Trainer::look(const Look& work, std::int64_t ahead) {
  if (finished()) begin_phase();  // the last one again, which a restored run has not begun
  if (ahead > 0) feed_batches(ahead);
  const datasets::Batch batch = next_shard();
  feed_batches();
  std::list<layers::KeptBuffers> kept;
  for (const auto& [name, module] : modules()) kept.emplace_back(*module);
  work_->prepare(numbers_of(step_));
  work_->optimisers().take_back(1);
  work(batch, random_of(step_ + ahead, batch.shard), [&] {
    for (layers::KeptBuffers& one : kept) one.restore();
  });
}

GradientsOfTerms Trainer::gradients_of_terms(const Objective& beside, std::int64_t ahead) {
  GradientsOfTerms all;
  look([&](const auto& batch, const auto& random,
           const auto& restore) { all = work_->gradients_of_terms(batch, random, beside, restore); },
       ahead);
  return all;
}

void Trainer::observe(autograd::Observer& observer) {
  look([&](const auto& batch, const auto& random, const auto&) { work_->observe(batch, random, observer); });
}

TensorWatch Trainer::watch(const std::vector<std::string>& patterns) {
  TensorWatch all(patterns);
  look([&](const auto& batch, const auto& random, const auto&) {
    const engine::Showing showing(all);
    all.batch = batch;
    const layers::NamedGradients gradients = work_->observe(batch, random, all);
    for (const auto& [name, p] : work_->optimisers().parameters()) {
      all.keep(name + ":value", p->value());
      const auto g = gradients.find(name);
      if (g != gradients.end()) all.keep(name + ":grad", g->second);
    }
    if (layers::Segmenter* teacher = method_->teacher())
      for (const auto& [name, p] : layers::parameters_in_order(*teacher))
        all.keep(checkpoint::teacher + name + ":value", p->value());
  });
  return all;
}

std::vector<CheckedParameter> Trainer::check_gradients(const autograd::GradcheckOptions& options,
                                                       const std::function<bool(const std::string& parameter)>& wanted) {
  std::vector<CheckedParameter> all;
  if (finished()) begin_phase();
  for (const auto& [name, module] : modules()) layers::convert_to(*module, engine::Dtype::f64);
  method_->convert_to(engine::Dtype::f64);
  look([&](datasets::Batch batch, const auto& random, const auto& restore) {
    for (Tensor datasets::Batch::*part : {&datasets::Batch::weak, &datasets::Batch::strong, &datasets::Batch::distance})
      if (Tensor& t = batch.*part; t.defined()) t = t.to(engine::Dtype::f64);
    all = work_->check_gradients(batch, random, options, wanted, restore);
  });
  return all;
}

void Trainer::look_inside(StepReport& report) {
  const auto due = [&](std::int64_t every) { return every > 0 && step_ % every == 0; };
  if (due(settings_.debug.grads_every)) report.gradients = term_gradients(gradients_of_terms());
  std::vector<std::string> names;
  for (const WatchPattern& pattern : watch_)
    if (due(pattern.every)) names.push_back(pattern.names);
  if (!names.empty()) report.watched = watch(names).seen;
}

bool Trainer::hashes_are_due() const {
  const std::int64_t every = settings_.debug.hashes;
  return every > 0 && step_ % every == 0 && ranks_.rank() == 0;
}

/// Behind the step: what went in, its gradients, and the weights that came of them.
void Trainer::write_hashes(const layers::NamedGradients& gradients, TensorHashes batches) {
  TensorHashes& all = incomplete_.back().hashes = std::move(batches);
  for (const auto& [name, p] : work_->optimisers().parameters())
    if (const auto g = gradients.find(name); g != gradients.end()) all.emplace_back("gradient/" + name, hash_of(g->second));
  for (const auto& [prefix, module] : modules()) {
    for (const auto& [name, p] : layers::parameters_in_order(*module)) all.emplace_back(prefix + name, hash_of(p->value()));
    for (const auto& [name, b] : layers::buffers_in_order(*module)) all.emplace_back(prefix + name, hash_of(*b));
  }
}

}  // namespace sagcl::semiagcl
