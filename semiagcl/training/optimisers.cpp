#include "semiagcl/training/optimisers.h"

namespace sagcl::semiagcl {
namespace {

std::unique_ptr<layers::Optimiser> optimiser_of(const TrainSettings& t, layers::NamedParameters parameters) {
  if (t.optimiser == "sgd")
    return std::make_unique<layers::Sgd>(std::move(parameters),
                                         layers::SgdSpec{.momentum = t.momentum, .weight_decay = t.weight_decay});
  return std::make_unique<layers::Adam>(
      std::move(parameters), layers::AdamSpec{.weight_decay = t.weight_decay, .decoupled = t.optimiser == "adamw"});
}

/// The part of an optimiser's state that a name belongs to: "first/PART" -> PART.
std::string part_of(const std::string& name) { return name.substr(name.find('/') + 1); }

}  // namespace

Optimisers::Optimisers(const TrainSettings& settings, layers::Segmenter& student,
                       const std::vector<TrainedModule>& trained) {
  layers::NamedParameters with_student = layers::parameters_of(student);
  parameters_ = with_student;
  for (const TrainedModule& t : trained) {
    layers::NamedParameters named;
    for (auto& [part, p] : layers::parameters_of(*t.module)) named[t.name + "." + part] = p;
    for (const auto& [name, p] : named)
      engine::require<engine::UsageError>(parameters_.insert({name, p}).second, "optimisers: two parameters are called {}",
                                          name);
    if (t.own) own_.push_back({std::make_unique<layers::Adam>(std::move(named), t.own->spec), t.own->learning_rate});
    else with_student.merge(named);
  }
  student_ = optimiser_of(settings, std::move(with_student));
}

void Optimisers::prepare(double lr) {
  student_->prepare(lr);
  for (Own& own : own_) own.optimiser->prepare(own.learning_rate);
}

layers::NamedGradients Optimisers::take_gradients() {
  layers::NamedGradients all = student_->take_gradients();
  for (Own& own : own_) all.merge(own.optimiser->take_gradients());
  return all;
}

void Optimisers::apply(const layers::NamedGradients& gradients, const Tensor& gate) {
  student_->apply(gradients, gate);
  for (Own& own : own_) own.optimiser->apply(gradients, gate);
}

void Optimisers::take_back(std::int64_t steps) {
  student_->take_back(steps);
  for (Own& own : own_) own.optimiser->take_back(steps);
}

std::map<std::string, Tensor> Optimisers::state() const {
  std::map<std::string, Tensor> all = student_->state();  // "steps" is the same for all
  for (const Own& own : own_) all.merge(own.optimiser->state());
  return all;
}

void Optimisers::load_state(const std::map<std::string, Tensor>& state) {
  std::map<std::string, Tensor> rest = state;
  for (Own& own : own_) {
    std::map<std::string, Tensor> part;
    if (const auto steps = state.find("steps"); steps != state.end()) part.insert(*steps);
    for (const auto& [name, t] : state)
      if (own.optimiser->parameters().count(part_of(name))) part.insert(rest.extract(name));
    own.optimiser->load_state(part);
  }
  student_->load_state(rest);
}

}  // namespace sagcl::semiagcl
