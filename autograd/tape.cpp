#include "autograd/tape.h"

#include <atomic>
#include <exception>
#include <optional>

#include "engine/devices/device_registry.h"
#include "engine/operation_name.h"
#include "engine/work.h"

namespace sagcl::autograd {

using engine::require;
using engine::UsageError;

namespace {
thread_local Tape* active_tape = nullptr;
thread_local const NoGrad* innermost_no_grad = nullptr;
thread_local std::string scope_path;
std::atomic<std::uint64_t> last_generation{0};  // shared by all threads, so a number is never used twice

/// "ops/conv.cpp:41": the file's folder and name.
std::string place(const SourceLine& where) {
  const std::string file = where.file;
  const std::size_t name = file.rfind('/'),
                    folder = name == std::string::npos || name == 0 ? name : file.rfind('/', name - 1);
  return fmt::format("{}:{}", folder == std::string::npos ? file : file.substr(folder + 1), where.line);
}

double bytes(const Tensor& t) { return t.defined() ? double(t.bytes()) : 0; }
}  // namespace

Variable Variable::parameter(Tensor value) {
  Variable v(std::move(value));
  v.slot_ = std::make_shared<GradSlot>(GradSlot{v.shape(), v.value().dtype(), {}});
  return v;
}

const Tensor& Variable::grad() const {
  require<UsageError>(has_grad(), "no gradient has been delivered to this value of shape {}", shape());
  return slot_->grad;
}

Tensor& Variable::value_for_update() {
  const auto refuse_before = [&](const Tape* tape) {
    require<UsageError>(!tape || tape->size() == 0, "a parameter of shape {} may not change while the tape holds {} records",
                        shape(), tape ? tape->size() : 0);
  };
  refuse_before(active_tape);
  for (const NoGrad* n = innermost_no_grad; n; n = n->outer_) refuse_before(n->suspended_);
  return value_;
}

Saved Variable::saved_activation() const {
  const bool recorded = slot_ && slot_->tape != 0;  // neither a parameter nor an input
  if (recipe_ || !recorded || !active_tape || !active_tape->options().keep) return saved();
  std::shared_ptr<const Recipe> kept = slot_->kept.lock();  // all operations that need the value share it
  if (!kept) {
    Recipe recipe = active_tape->options().keep(value_);
    if (!recipe) return saved();
    slot_->kept = kept = std::make_shared<const Recipe>(std::move(recipe));
  }
  return Saved(kept);
}

Tape* Tape::active() { return active_tape; }

Tape::Tape(TapeOptions options) : options_(std::move(options)), generation_(++last_generation) {
  require<UsageError>(!active_tape, "a Tape is already recording on this thread; one tape per step");
  active_tape = this;
}

Tape::~Tape() {
  active_tape = nullptr;
  while (!records_.empty()) records_.pop_back();  // newest first, one at a time: no recursion however long the list
}

NoGrad::NoGrad() : suspended_(std::exchange(active_tape, nullptr)), outer_(std::exchange(innermost_no_grad, this)) {}
NoGrad::~NoGrad() { active_tape = suspended_, innermost_no_grad = outer_; }

Scope::Scope(const std::string& name) : outer_length_(scope_path.size()), range_(name.c_str()) {
  if (!scope_path.empty()) scope_path += '.';
  scope_path += name;
}
Scope::~Scope() { scope_path.resize(outer_length_); }
std::string Scope::path() { return scope_path; }

/// The only code that touches a variable's slot besides the walk.
struct Recorder {
  static bool wanted(const Variable& v) { return active_tape && v.slot_; }

  static void check(const char* op, const Variable& input) {
    require<UsageError>(!input.slot_ || input.slot_->tape == 0 || input.slot_->tape == active_tape->generation_,
                        "{}: an input of shape {} was recorded on a tape that has ended; detach() it first", op,
                        input.shape());
  }

  static std::int64_t source(const Variable& input) {
    if (!input.slot_) return Observer::Step::constant;
    return input.slot_->tape == 0 ? Observer::Step::parameter : input.slot_->record;
  }

  static Variable record(const Operation& op, const std::vector<Variable>& inputs, Tensor y, Backward backward,
                         Recipe recipe) {
    Variable out(std::move(y));
    double moved = bytes(out.value());
    for (const Variable& input : inputs) moved += bytes(input.value());
    engine::count_bytes(moved);
    if (!active_tape) return out;
    Tape& tape = *active_tape;
    Tape::Record entry{op.name, scope_path, nullptr, {}, std::move(backward), op.where};
    const std::int64_t position = std::int64_t(tape.records_.size());
    bool any = false;
    for (const Variable& input : inputs) {
      check(op.name, input);
      entry.inputs.push_back(input.slot_);
      any = any || input.slot_;
    }
    if (Observer* observer = tape.options_.observer) {
      Observer::Step step{op.name, scope_path, any ? position : -1, place(op.where)};
      step.spec = op.spec;
      for (const Variable& input : inputs) step.inputs.push_back(input.value()), step.sources.push_back(source(input));
      observer->after_forward(step, out.value());
    }
    if (!any) return out;
    out.slot_ = entry.output =
        std::make_shared<GradSlot>(GradSlot{out.shape(), out.value().dtype(), {}, tape.generation_, position});
    if (recipe && tape.options_.recompute) out.recipe_ = std::make_shared<const Recipe>(std::move(recipe));
    tape.records_.push_back(std::move(entry));
    return out;
  }
};

Variable record(const Operation& op, const std::vector<Variable>& inputs, Tensor y, Backward backward, Recipe recipe) {
  return Recorder::record(op, inputs, std::move(y), std::move(backward), std::move(recipe));
}

bool recording(const Variable& v) { return Recorder::wanted(v); }

void Tape::backward(const Variable& loss) {
  engine::require(loss.defined() && loss.value().size() == 1, "backward needs a scalar loss, got shape {}", loss.shape());
  backward(loss, Tensor::full(loss.shape(), 1.0, loss.value().dtype(), loss.value().device()));
}

void Tape::backward(const Variable& y, Tensor dy) {
  require<UsageError>(!walked_,
                      "backward: this tape has been walked already and its records are freed; "
                      "run the forward pass again on a new Tape");
  require<UsageError>(y.slot_ && y.slot_->tape == generation_, "backward: the value of shape {} is not on this tape",
                      y.shape());
  engine::require(dy.shape() == y.shape(), "backward: the gradient has shape {}, the value {}", dy.shape(), y.shape());
  require<engine::DtypeError>(dy.dtype() == y.value().dtype(), "backward: the gradient is {}, the value {}", dy.dtype(),
                              y.value().dtype());
  walked_ = true;
  y.slot_->grad = std::move(dy);
  const std::int64_t total = std::int64_t(records_.size());
  while (!records_.empty()) {  // execution order is a topological order
    const std::int64_t position = std::int64_t(records_.size()) - 1;
    const Record record = std::move(records_.back());  // dies at the end of this turn, and what it saved with it
    records_.pop_back();
    Tensor gradient = std::exchange(record.output->grad, {});
    if (!gradient.defined()) continue;
    try {
      walk(record, position, std::move(gradient));
    } catch (const engine::OutOfMemory& e) {
      throw engine::OutOfMemory(fmt::format("backward of {} (record {} of {}): {}", record.op, position, total, e.what()));
    } catch (const engine::Error& e) {
      throw engine::BackendError(fmt::format("backward of {} (record {} of {}): {}", record.op, position, total, e.what()));
    }
  }
}

void Tape::walk(const Record& record, std::int64_t position, Tensor dy) {
  std::optional<engine::Range> module;
  if (!record.scope.empty()) module.emplace(record.scope.c_str());
  const engine::OperationName name(record.op);
  Observer* observer = options_.observer;
  Observer::Step step{record.op, record.scope, position, observer ? place(record.where) : ""};
  if (observer) observer->before_backward(step, dy);
  double moved = bytes(dy);
  Gradients gradients = record.backward(std::move(dy));
  require<UsageError>(gradients.size() == record.inputs.size(), "{} gradients for {} inputs", gradients.size(),
                      record.inputs.size());
  if (observer) observer->after_backward(step, gradients);
  for (const Tensor& g : gradients) moved += bytes(g);
  engine::count_bytes(moved);
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    if (!record.inputs[i]) continue;
    GradSlot& slot = *record.inputs[i];
    Tensor& g = gradients[i];
    engine::require(g.defined() && g.shape() == slot.shape, "gradient {} should have shape {}, got {}", i, slot.shape,
                    g.defined() ? g.shape() : Shape{});
    require<engine::DtypeError>(g.dtype() == slot.dtype, "gradient {} should be {}, got {}", i, slot.dtype, g.dtype());
    if (!slot.grad.defined()) {
      slot.grad = std::move(g);
      continue;
    }
    if (!slot.grad.sole_owner()) slot.grad = slot.grad.clone();  // it may be shared with another input
    engine::runtime(g.device()).add_into(slot.grad.bytes_begin(), g.bytes_begin(), g.dtype(), g.size());
  }
}

}  // namespace sagcl::autograd
