#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/files/safetensors.h"
#include "semiagcl/settings/settings.h"
#include "semiagcl/training/phase.h"

namespace sagcl::semiagcl {

/// Modules with their names.
using NamedModules = std::vector<std::pair<std::string, layers::Module*>>;

/// A way to train a segmenter from few labels. Each method is one file; trainer, data and networks are shared. A run that
/// starts again with other weights has a new one.
class TrainingMethod {
 public:
  virtual ~TrainingMethod() = default;

  /// What a run goes through, in order; the steps add up to train.steps. Called once, the functions may refer to the method.
  virtual std::vector<Phase> phases() = 0;

  /// True if its objective reads values on the host, so that a step cannot be recorded.
  virtual bool waits_for_host() const { return false; }

  /// A number that the kernels of the objective read and that depends on the share of the run's steps that are done, in [0,
  /// 1).
  virtual double schedule(double /*progress*/) const { return 0; }

  /// The teacher's ema_decay; the settings' where it has no other.
  virtual double ema_decay(const RunSettings& settings) const { return settings.method.ema_decay; }

  /// The averaged network, if there is one and it has begun.
  virtual layers::Segmenter* teacher() { return nullptr; }
  virtual bool averages() const { return false; }  ///< whether there is one, begun or not

  /// Numbers worth a line in the log beside the loss terms (thresholds, mean affinity, …): tensors of one element on the
  /// device.
  virtual std::map<std::string, Tensor> observations() const { return {}; }

  /// Modules of its own beside the teacher, by name, once they are in use: a projection head, a discriminator. Checkpoints
  /// hold them, and they are equal in every process.
  virtual NamedModules modules() { return {}; }

  /// State that is in no module, like the memory bank, from here on in this type: for gradient checks in f64.
  virtual void convert_to(engine::Dtype /*dtype*/) {}

  /// Further state for a checkpoint and back, under the names of checkpoint.h. DataError without a file's name.
  virtual void store(engine::TensorFile& /*content*/) const {}
  virtual void load(const engine::TensorFile& /*content*/) {}
};

}  // namespace sagcl::semiagcl
