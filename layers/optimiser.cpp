#include "layers/optimiser.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/devices/device_registry.h"
#include "ops/updates.h"

namespace sagcl::layers {

using engine::DataError;
using engine::Dtype;
using engine::require;
using engine::UsageError;

Optimiser::Optimiser(NamedParameters parameters) : parameters_(std::move(parameters)) {
  for (const auto& [name, v] : parameters_)
    require<UsageError>(v && v->defined() && v->wants_grad(), "optimiser: {} is not a parameter", name);
}

void Optimiser::step(double lr) {
  const NamedGradients gradients = take_gradients();
  prepare(lr);
  apply(gradients);
}

void Optimiser::prepare(double lr) {
  const std::vector<double> now = numbers(lr, ++steps_);
  if (parameters_.empty()) return;
  const engine::Device device = parameters_.begin()->second->value().device();
  if (!numbers_.defined()) numbers_ = Tensor::empty({std::int64_t(now.size())}, Dtype::f64, device);
  engine::runtime(device).copy_from_host(numbers_.bytes_begin(), now.data(), numbers_.bytes());
}

NamedGradients Optimiser::take_gradients() {
  NamedGradients gradients;
  std::string missing;
  for (auto& [name, v] : parameters_)
    if (v->has_grad()) gradients[name] = v->grad();
    else missing += (missing.empty() ? "" : ", ") + name;
  for (auto& [name, v] : parameters_) v->clear_grad();
  require<UsageError>(missing.empty(),
                      "optimiser step: no gradient for {}; the loss does not depend on it, or backward has not "
                      "run since the last step",
                      missing);
  return gradients;
}

void Optimiser::apply(const NamedGradients& gradients, const Tensor& gate) {
  if (!parameters_.empty()) update(numbers_, gate, gradients);
}

Optimiser::Slots& Optimiser::add_state(const std::string& name) {
  Slots& slots = slots_[name];
  for (const auto& [parameter, v] : parameters_) slots[parameter] = Tensor::zeros_like(v->value());
  return slots;
}

std::map<std::string, Tensor> Optimiser::state() const {
  std::map<std::string, Tensor> all{{"steps", Tensor::full({1}, double(steps_), Dtype::f64)}};
  for (const auto& [name, slots] : slots_)
    for (const auto& [parameter, t] : slots) all[name + "/" + parameter] = t;
  return all;
}

void Optimiser::load_state(const std::map<std::string, Tensor>& saved) {
  std::map<std::string, Tensor> own = this->state(), state = saved;
  if (!state.count("steps")) {  // files of 0.1.0 before 2026-11-24 count the steps of each parameter, for Adam alone
    double steps = 0;
    std::erase_if(state, [&](const auto& part) {
      if (!part.first.starts_with("steps/")) return false;
      steps = std::max(steps, part.second.item());
      return true;
    });
    state["steps"] = Tensor::full({1}, steps, Dtype::f64);
  }
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
  steps_ = std::int64_t(own.at("steps").item());
}

Sgd::Sgd(NamedParameters parameters, const SgdSpec& spec)
    : Optimiser(std::move(parameters)), spec_(spec), momentum_(add_state("momentum")) {}

std::vector<double> Sgd::numbers(double lr, std::int64_t) const { return {lr}; }

void Sgd::update(const Tensor& numbers, const Tensor& gate, const NamedGradients& gradients) {
  std::vector<ops::SgdSlot> slots;
  for (auto& [name, v] : parameters_) slots.push_back({v->value_for_update(), gradients.at(name), momentum_.at(name)});
  ops::sgd(spec_, numbers, gate, slots);
}

Adam::Adam(NamedParameters parameters, const AdamSpec& spec)
    : Optimiser(std::move(parameters)), spec_(spec), first_(add_state("first")), second_(add_state("second")) {}

std::vector<double> Adam::numbers(double lr, std::int64_t t) const {
  return {lr / (1 - std::pow(spec_.beta1, double(t))), 1 / std::sqrt(1 - std::pow(spec_.beta2, double(t))),
          spec_.decoupled ? 1 - lr * spec_.weight_decay : 1};
}

void Adam::update(const Tensor& numbers, const Tensor& gate, const NamedGradients& gradients) {
  std::vector<ops::AdamSlot> slots;
  for (auto& [name, v] : parameters_)
    slots.push_back({v->value_for_update(), gradients.at(name), first_.at(name), second_.at(name)});
  ops::adam(spec_, numbers, gate, slots);
}

}  // namespace sagcl::layers
