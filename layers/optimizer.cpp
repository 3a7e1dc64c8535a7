#include "layers/optimizer.h"

#include <vector>

#include "ops/backend.h"

namespace sagcl::layers {

using engine::DataError;
using engine::require;
using engine::UsageError;

namespace {

using State = std::map<std::string, Tensor>;

void add_named(State& to, const std::string& prefix, const State& from) {
  for (const auto& [name, t] : from) to[prefix + name] = t;
}

/// Copies every tensor of `state` into the one of the same name in `own`, after checking that all fit.
void restore(State& own, const State& state) {
  for (const auto& [name, t] : own) {
    const auto found = state.find(name);
    require<DataError>(found != state.end(), "optimiser state holds no {}", name);
    require<DataError>(found->second.shape() == t.shape() && found->second.dtype() == t.dtype(),
                       "optimiser state {} is {} {}, this optimiser needs {} {}", name, found->second.dtype(),
                       found->second.shape(), t.dtype(), t.shape());
  }
  for (const auto& [name, t] : state)
    require<DataError>(own.count(name) > 0, "optimiser state holds {}, which belongs to no parameter of this model", name);
  for (auto& [name, t] : own) t.copy_from(state.at(name));
}

}  // namespace

Optimizer::Optimizer(NamedParameters parameters, std::set<std::string> optional)
    : parameters_(std::move(parameters)), optional_(std::move(optional)) {
  for (const auto& [name, v] : parameters_)
    require<UsageError>(v && v->defined() && v->wants_grad(), "optimiser: {} is not a parameter", name);
  for (const std::string& name : optional_)
    require<UsageError>(parameters_.count(name) > 0, "optimiser: there is no parameter {} to be optional", name);
}

void Optimizer::step(double lr, const NamedGradients& gradients) {
  std::string missing;
  std::vector<Ready> ready;
  for (auto& [name, v] : parameters_) {
    const auto found = gradients.find(name);
    if (found != gradients.end()) ready.push_back({name, v->value_for_update(), found->second});
    else if (!optional_.count(name)) missing += (missing.empty() ? "" : ", ") + name;
  }
  require<UsageError>(missing.empty(),
                      "optimiser step: no gradient for {}; the loss does not depend on it, or backward has not "
                      "run since the last step (declare a parameter optional if that is meant)", missing);
  apply(lr, ready);
}

NamedGradients Optimizer::take_gradients() {
  NamedGradients gradients;
  for (auto& [name, v] : parameters_) {
    if (v->has_grad()) gradients[name] = v->grad();
    v->clear_grad();
  }
  return gradients;
}

State Optimizer::zeros_like_parameters() const {
  State zeros;
  for (const auto& [name, v] : parameters_) zeros[name] = Tensor::zeros_like(v->value());
  return zeros;
}

Sgd::Sgd(NamedParameters parameters, const SgdSpec& spec, std::set<std::string> optional)
    : Optimizer(std::move(parameters), std::move(optional)), spec_(spec), momentum_(zeros_like_parameters()) {}

void Sgd::apply(double lr, const std::vector<Ready>& ready) {
  std::vector<ops::SgdSlot> slots;
  for (const Ready& r : ready) slots.push_back({r.parameter, r.gradient, momentum_.at(r.name)});
  if (slots.empty()) return;
  const ops::SgdStep step{.lr = lr, .momentum = spec_.momentum, .weight_decay = spec_.weight_decay};
  ops::backend(slots[0].p.device()).sgd(step, slots);
}

State Sgd::state() const {
  State all;
  add_named(all, "momentum/", momentum_);
  return all;
}

void Sgd::load_state(const State& state) {
  State own = this->state();
  restore(own, state);
}

Adam::Adam(NamedParameters parameters, const AdamSpec& spec, std::set<std::string> optional)
    : Optimizer(std::move(parameters), std::move(optional)), spec_(spec), first_(zeros_like_parameters()),
      second_(zeros_like_parameters()) {
  for (const auto& [name, v] : parameters_) steps_[name] = 0;
}

void Adam::apply(double lr, const std::vector<Ready>& ready) {
  // one call of the backend unless optional parameters lag behind
  std::map<std::int64_t, std::vector<ops::AdamSlot>> by_age;
  for (const Ready& r : ready)
    by_age[++steps_.at(r.name)].push_back({r.parameter, r.gradient, first_.at(r.name), second_.at(r.name)});
  for (const auto& [t, slots] : by_age) {
    const ops::AdamStep step{.lr = lr, .beta1 = spec_.beta1, .beta2 = spec_.beta2, .eps = spec_.eps,
                             .weight_decay = spec_.weight_decay, .t = t};
    ops::backend(slots[0].p.device()).adam(step, slots);
  }
}

State Adam::state() const {
  State all;
  add_named(all, "first/", first_);
  add_named(all, "second/", second_);
  for (const auto& [name, t] : steps_) all["steps/" + name] = Tensor::full({1}, double(t), engine::Dtype::f64);
  return all;
}

void Adam::load_state(const State& state) {
  State own = this->state();
  restore(own, state);
  for (auto& [name, t] : steps_) t = std::int64_t(own.at("steps/" + name).item());
}

}  // namespace sagcl::layers
