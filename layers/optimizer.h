#pragma once
#include <map>
#include <set>
#include <string>

#include "autograd/tape.h"

namespace sagcl::layers {

using engine::Tensor;

/// The parameters to train, by their names. The Variables must outlive the optimiser.
using NamedParameters = std::map<std::string, autograd::Variable*>;

/// A gradient for each parameter that has one.
using NamedGradients = std::map<std::string, Tensor>;

/// What optimisers share: a step applies the collected gradients and clears them.
class Optimizer {
 public:
  /// `optional` names parameters that may be without a gradient in a step (e.g. a head that some losses do not reach):
  /// they are then left as they are. UsageError for a name that is not among the parameters.
  explicit Optimizer(NamedParameters parameters, std::set<std::string> optional = {});
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;

  /// Moves every parameter against its gradient, all in one call of the backend, and clears the gradients.
  /// UsageError listing the parameters without gradient unless they are optional; then nothing has moved.
  void step(double lr) { step(lr, take_gradients()); }

  /// The same with these gradients, e.g. averages over several batches.
  void step(double lr, const NamedGradients& gradients);

  /// What was delivered to the parameters since the last step; they have no gradients afterwards.
  NamedGradients take_gradients();

  const NamedParameters& parameters() const { return parameters_; }

  /// What must be saved to go on later, by name: "momentum/encoder.0.w", … Tensors share memory with the optimiser.
  virtual std::map<std::string, Tensor> state() const = 0;

  /// Restores state(); DataError naming what is missing, unknown or of another shape.
  virtual void load_state(const std::map<std::string, Tensor>& state) = 0;

 protected:
  /// One parameter that takes part in a step.
  struct Ready { std::string name; Tensor parameter, gradient; };
  virtual void apply(double lr, const std::vector<Ready>& ready) = 0;

  /// A zero tensor like each parameter, by name.
  std::map<std::string, Tensor> zeros_like_parameters() const;

  NamedParameters parameters_;

 private:
  std::set<std::string> optional_;
};

struct SgdSpec { double momentum = 0.9, weight_decay = 0; };

/// v ← momentum v + (g + weight_decay p);  p ← p − lr v.  v starts at 0.
class Sgd : public Optimizer {
 public:
  Sgd(NamedParameters parameters, const SgdSpec& spec = {}, std::set<std::string> optional = {});
  std::map<std::string, Tensor> state() const override;  ///< "momentum/NAME"
  void load_state(const std::map<std::string, Tensor>& state) override;

 protected:
  void apply(double lr, const std::vector<Ready>& ready) override;

 private:
  SgdSpec spec_;
  std::map<std::string, Tensor> momentum_;
};

struct AdamSpec { double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0; };

/// Kingma & Ba 2015, Algorithm 1: p ← p − lr m̂ / (√v̂ + eps), with weight_decay p added to the gradient. Each parameter
/// counts its own steps t for the bias correction, so one that sat out steps is corrected as if it were younger.
class Adam : public Optimizer {
 public:
  Adam(NamedParameters parameters, const AdamSpec& spec = {}, std::set<std::string> optional = {});
  std::map<std::string, Tensor> state() const override;  ///< "first/NAME", "second/NAME", "steps/NAME" (f64 [1])
  void load_state(const std::map<std::string, Tensor>& state) override;

 protected:
  void apply(double lr, const std::vector<Ready>& ready) override;

 private:
  AdamSpec spec_;
  std::map<std::string, Tensor> first_, second_;
  std::map<std::string, std::int64_t> steps_;
};

}  // namespace sagcl::layers
