#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "autograd/tape.h"
#include "engine/random.h"

namespace sagcl::layers {

using autograd::Tensor;
using autograd::Variable;

class Module;
struct Stages;

/// What a module tells about itself: each part once, with its name. Counting, saving, averaging into a teacher,
/// optimising and printing are visitors of this kind.
class Parts {
 public:
  virtual ~Parts() = default;
  virtual void parameter(const std::string& name, Variable& p) = 0;  ///< trained
  virtual void buffer(const std::string& name, Tensor& b) = 0;       ///< carried along, not trained
  virtual void child(const std::string& name, Module& m) = 0;
};

class Module {
 public:
  virtual ~Module() = default;
  virtual void describe(Parts& parts) = 0;
};

/// How a forward pass runs; nothing about it is remembered by the modules.
struct Pass {
  bool training = false;                ///< batch statistics and dropout, else running statistics and none
  bool update_statistics = true;        ///< in training: let the running statistics move
  bool dropout = true;                  ///< in training: drop
  engine::Generator* random = nullptr;  ///< source of dropout masks; UsageError if it is needed and missing
  Stages* stages = nullptr;             ///< where a network puts what its stages give (segmenter.h), if somebody asks
};

/// Dotted name -> part, e.g. "block1.0.conv.w". The order of a std::map: sorted by name.
std::map<std::string, Variable*> parameters_of(Module& m);
std::map<std::string, Tensor*> buffers_of(Module& m);

/// The same names in the order in which the modules describe themselves.
std::vector<std::pair<std::string, Variable*>> parameters_in_order(Module& m);
std::vector<std::pair<std::string, Tensor*>> buffers_in_order(Module& m);

/// While it exists the parameters of a module are constants: gradients flow through the module and none to it.
class Frozen {
 public:
  explicit Frozen(Module& m);
  ~Frozen();
  Frozen(const Frozen&) = delete;

 private:
  std::vector<std::pair<Variable*, Variable>> trained_;  // where each parameter stands, and what stood there
};

/// At its end the buffers of a module are what they were at its beginning, e.g. running statistics.
class KeptBuffers {
 public:
  explicit KeptBuffers(Module& m);
  ~KeptBuffers() { restore(); }
  KeptBuffers(const KeptBuffers&) = delete;
  void restore();  ///< at once, too

 private:
  std::vector<std::pair<Tensor*, Tensor>> kept_;  // where each stands, and its copy
};

std::int64_t count_parameters(Module& m);

/// Makes `to` a copy of `from`: parameters and buffers by name. UsageError if the two are not of one shape.
void copy_weights(Module& from, Module& to);

/// Moves all parameters and buffers; optimisers and variables made before are stale afterwards.
void move_to(Module& m, engine::Device device);

/// Converts all parameters and buffers, e.g. to f64 for gradient checks.
void convert_to(Module& m, engine::Dtype dtype);

/// A table: name, shape, number of elements, and the total.
std::string summary(Module& m);

}  // namespace sagcl::layers
