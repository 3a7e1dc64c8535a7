#pragma once
#include <functional>
#include <memory>
#include <utility>

#include "engine/tensor.h"

namespace sagcl::autograd {

using engine::Shape;
using engine::Tensor;

/// Computes a value again from what is cheaper to keep, e.g. a batch norm's output from its input.
using Recipe = std::function<Tensor()>;

/// What an operation keeps for its backward: a tensor, or the recipe that makes it again.
class Saved {
 public:
  Saved() = default;
  Saved(Tensor value) : value_(std::move(value)) {}
  explicit Saved(std::shared_ptr<const Recipe> recipe) : recipe_(std::move(recipe)) {}
  bool defined() const { return recipe_ || value_.defined(); }
  Tensor get() const { return recipe_ ? (*recipe_)() : value_; }

 private:
  Tensor value_;
  std::shared_ptr<const Recipe> recipe_;
};

/// Where the gradient of one value is collected, of the value's shape and dtype. It does not keep the value: an operation
/// saves only what its backward names.
struct GradSlot {
  Shape shape;
  engine::Dtype dtype;
  Tensor grad;                            ///< undefined until something is delivered
  std::uint64_t tape = 0;                 ///< generation of the tape that recorded the value; 0 for a parameter
  std::int64_t record = 0;                ///< its position on that tape
  std::weak_ptr<const Recipe> kept = {};  ///< of what TapeOptions::keep made of the value
};

/// A tensor that may take part in differentiation. It never owns history: keeping a loss keeps its few bytes.
class Variable {
 public:
  Variable() = default;
  explicit Variable(Tensor value) : value_(std::move(value)) {}
  static Variable parameter(Tensor value);  ///< a leaf whose gradient is collected until cleared

  const Tensor& value() const { return value_; }
  const Shape& shape() const { return value_.shape(); }
  bool defined() const { return value_.defined(); }
  bool wants_grad() const { return slot_ != nullptr; }
  bool has_grad() const { return slot_ && slot_->grad.defined(); }
  const Tensor& grad() const;  ///< UsageError if nothing was delivered
  void clear_grad() {
    if (slot_) slot_->grad = {};
  }
  Tensor& value_for_update();  ///< for optimisers and loaders; refused while a tape on this thread holds records
  Variable detach() const { return Variable(value_); }

  /// What an operation should keep when its backward needs this value.
  Saved saved() const { return recipe_ ? Saved(recipe_) : Saved(value_); }

  /// The same for a value of which an approximation will do, if the tape has one: large, and not at the loss.
  Saved saved_activation() const;
  bool has_recipe() const { return recipe_ != nullptr; }

 private:
  friend class Tape;
  friend struct Recorder;
  Tensor value_;
  std::shared_ptr<GradSlot> slot_;
  std::shared_ptr<const Recipe> recipe_;
};

}  // namespace sagcl::autograd
