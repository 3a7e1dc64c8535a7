#pragma once
#include <map>
#include <string>

#include "autograd/tape.h"
#include "ops/specs.h"

namespace sagcl::layers {

using engine::Tensor;

/// The parameters to train, by their names. The Variables must outlive the optimiser.
using NamedParameters = std::map<std::string, autograd::Variable*>;

/// A gradient for each parameter that has one.
using NamedGradients = std::map<std::string, Tensor>;

/// What optimisers share: a step applies the collected gradients and clears them.
class Optimiser {
 public:
  /// Parameters on one device.
  explicit Optimiser(NamedParameters parameters);
  virtual ~Optimiser() = default;
  Optimiser(const Optimiser&) = delete;

  /// Moves every parameter against its gradient, all in one call, and clears the gradients.
  /// UsageError listing the parameters without gradient; then nothing has moved.
  void step(double lr);

  // The same in parts, of which apply() alone is work for the device that may be recorded.

  /// Counts the next step and gives the device its numbers.
  void prepare(double lr);
  /// What was delivered to the parameters since the last step; they have no gradients afterwards. UsageError as step().
  NamedGradients take_gradients();
  /// The prepared step with these gradients; where `gate` (f64 [1] on the device, or undefined) is 0 nothing moves.
  void apply(const NamedGradients& gradients, const Tensor& gate = {});
  /// `steps` prepared steps did not happen.
  void take_back(std::int64_t steps) { steps_ -= steps; }

  const NamedParameters& parameters() const { return parameters_; }

  /// What must be saved to go on later, by name: "momentum/encoder.0.w", …, and "steps" (f64 [1]). Tensors but the last
  /// share memory with the optimiser.
  std::map<std::string, Tensor> state() const;

  /// Restores state(); DataError naming what is missing, unknown or of another shape.
  void load_state(const std::map<std::string, Tensor>& state);

 protected:
  /// The numbers of step t = 1, 2, … that kernels read.
  virtual std::vector<double> numbers(double lr, std::int64_t t) const = 0;
  virtual void update(const Tensor& numbers, const Tensor& gate, const NamedGradients& gradients) = 0;

  using Slots = std::map<std::string, Tensor>;  ///< a tensor like each parameter, by its name
  Slots& add_state(const std::string& name);    ///< zeros, kept as "name/PARAMETER"
  NamedParameters parameters_;

 private:
  std::map<std::string, Slots> slots_;
  std::int64_t steps_ = 0;
  Tensor numbers_;  // f64 on the device
};

using ops::AdamSpec;
using ops::SgdSpec;

/// v ← momentum v + (g + weight_decay p);  p ← p − lr v.  v starts at 0.
class Sgd : public Optimiser {
 public:
  explicit Sgd(NamedParameters parameters, const SgdSpec& spec = {});

 protected:
  std::vector<double> numbers(double lr, std::int64_t t) const override;
  void update(const Tensor& numbers, const Tensor& gate, const NamedGradients& gradients) override;

 private:
  SgdSpec spec_;
  Slots& momentum_;
};

/// Kingma & Ba 2015, Algorithm 1: p ← p − lr m̂ / (√v̂ + eps), with weight_decay p added to the gradient, or, decoupled, lr
/// weight_decay p taken off p (AdamW).
class Adam : public Optimiser {
 public:
  explicit Adam(NamedParameters parameters, const AdamSpec& spec = {});

 protected:
  std::vector<double> numbers(double lr, std::int64_t t) const override;
  void update(const Tensor& numbers, const Tensor& gate, const NamedGradients& gradients) override;

 private:
  AdamSpec spec_;
  Slots &first_, &second_;
};

}  // namespace sagcl::layers
