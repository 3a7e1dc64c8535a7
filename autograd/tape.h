#pragma once
#include <cstdint>
#include <string>
#include <typeinfo>
#include <vector>

#include "autograd/variable.h"
#include "engine/ranges.h"

namespace sagcl::autograd {

/// One gradient for each input, in order; an undefined Tensor where none is wanted.
using Gradients = std::vector<Tensor>;

/// The backward of one operation. `dy` arrives by value: if it is the sole owner its memory may be reused for a result.
using Backward = std::function<Gradients(Tensor dy)>;

/// What an operation was called with beside its inputs, e.g. ops::ConvSpec. It refers to the caller's value.
class SpecView {
 public:
  SpecView() = default;
  template <class Spec>
  SpecView(const Spec& spec) : type_(&typeid(Spec)), spec_(&spec) {}

  /// Null where there is none of this type.
  template <class Spec>
  const Spec* as() const {
    return type_ && *type_ == typeid(Spec) ? static_cast<const Spec*>(spec_) : nullptr;
  }

 private:
  const std::type_info* type_ = nullptr;
  const void* spec_ = nullptr;
};

/// As std::source_location, which clang 14 does not have.
struct SourceLine {
  const char* file = "";
  int line = 0;
};

/// Watches a tape while it records and while it is walked: the one interface all debug tools are built on.
class Observer {
 public:
  struct Step {
    const char* op;                   ///< "conv", "batch_norm", …
    std::string scope;                ///< module path, e.g. "encoder.0.conv"
    std::int64_t record;              ///< position on the tape, -1 if the operation was not recorded
    std::string where;                ///< "ops/conv.cpp:41", which recorded it
    std::vector<Tensor> inputs = {};  ///< in after_forward
    /// In after_forward: for each input the position of the record that made it, or what it is instead.
    std::vector<std::int64_t> sources = {};
    SpecView spec = {};  ///< in after_forward, and valid until it returns
    static constexpr std::int64_t parameter = -1, constant = -2;
  };
  virtual ~Observer() = default;
  virtual void after_forward(const Step&, const Tensor& /*y*/) {}
  virtual void before_backward(const Step&, const Tensor& /*dy*/) {}
  virtual void after_backward(const Step&, const Gradients&) {}
};

struct TapeOptions {
  bool recompute = true;         ///< let operations keep recipes instead of values where that is cheap
  Observer* observer = nullptr;  ///< must outlive the tape
  /// What is kept of an activation that a backward needs, e.g. half of its bits; null, or an empty recipe of it: all.
  std::function<Recipe(const Tensor&)> keep = {};
};

/// The operations performed while it exists, in the order they were performed.
///
///   Tape tape;                               // recording starts on this thread
///   Variable loss = criterion(model(x), target);
///   tape.backward(loss);                     // walks the list from its end, freeing as it goes
///
/// Without a Tape nothing is recorded. One tape per thread and step: a second one throws, unless it lives inside a NoGrad
/// (a gradient beside the step, e.g. of a loss in the images); so does a second backward.
/// There are no second derivatives: a backward works on Tensors, so it cannot record.
class Tape {
 public:
  explicit Tape(TapeOptions options = {});
  ~Tape();
  Tape(const Tape&) = delete;

  /// Delivers d loss / d parameter into every parameter the loss depends on. `loss` has one element.
  void backward(const Variable& loss);

  /// The same with a given gradient of y, for values that are not scalars.
  void backward(const Variable& y, Tensor dy);

  std::size_t size() const { return records_.size(); }
  const TapeOptions& options() const { return options_; }
  static Tape* active();  ///< the tape recording on this thread, or nullptr

 private:
  friend struct Recorder;
  friend class NoGrad;
  struct Record {
    const char* op;
    std::string scope;
    std::shared_ptr<GradSlot> output;
    std::vector<std::shared_ptr<GradSlot>> inputs;  ///< null where no gradient is wanted
    Backward backward;
    SourceLine where;
  };
  void walk(const Record& record, std::int64_t position, Tensor dy);
  TapeOptions options_;
  std::vector<Record> records_;
  std::uint64_t generation_;
  bool walked_ = false;
};

/// Suspends recording until the end of the scope.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;

 private:
  friend class Variable;
  Tape* suspended_;
  const NoGrad* outer_;
};

/// Adds a name to the module path of what is recorded in this scope, and is a Range of that name to listeners.
class Scope {
 public:
  explicit Scope(const std::string& name);
  ~Scope();
  Scope(const Scope&) = delete;
  static std::string path();

 private:
  std::size_t outer_length_;
  engine::Range range_;
};

/// An operation's name and, where it tells them, what it was called with.
struct Operation {
  Operation(const char* name, SpecView spec = {}, const char* file = __builtin_FILE(), int line = __builtin_LINE())
      : name(name), spec(spec), where{file, line} {}
  const char* name;
  SpecView spec;
  SourceLine where;  ///< that records it
};

/// Makes `y` the result of `op` on `inputs`. If a tape is active and some input wants a gradient, `backward` is kept on
/// the tape; otherwise it is dropped with all it saved. `recipe`, if given, is how later operations may make y again.
Variable record(const Operation& op, const std::vector<Variable>& inputs, Tensor y, Backward backward, Recipe recipe = {});

/// True if `v`'s gradient will be asked for: a tape is recording and v depends on a parameter.
bool recording(const Variable& v);

}  // namespace sagcl::autograd
