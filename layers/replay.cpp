#include "layers/replay.h"

#include "engine/memory.h"

namespace sagcl::layers {

using autograd::Gradients;
using engine::RandomKey;

/// One recorded pass and the memory it reads and writes.
class Replay::Recorded {
 public:
  Recorded(Segmenter& network, const Tensor& x, const Pass& pass, const Kind& kind, const Options& options);

  /// False where the device cannot record.
  bool ready() const { return forward_ != nullptr; }
  /// True while weights and statistics lie where they lay when the work was recorded.
  bool fits() const { return places_ == places(); }
  Segmentation replay(const Variable& x, const Pass& pass);

 private:
  static constexpr std::int64_t most_keys = 64;
  std::vector<const void*> places() const;

  const Options options_;
  engine::Arena arena_;
  engine::Buffer keys_;
  std::int64_t n_keys_ = 0, runs_ = 0;
  std::vector<Variable*> parameters_;
  std::vector<Tensor*> buffers_;
  std::vector<const void*> places_;
  Tensor x_, logits_, bottleneck_, dlogits_, dbottleneck_;
  std::vector<Tensor> gradients_;
  std::unique_ptr<engine::Recording> forward_, backward_;
};

std::vector<const void*> Replay::Recorded::places() const {
  std::vector<const void*> all;
  for (const Variable* p : parameters_) all.push_back(p->value().bytes_begin());
  for (const Tensor* b : buffers_) all.push_back(b->bytes_begin());
  return all;
}

Replay::Recorded::Recorded(Segmenter& network, const Tensor& x, const Pass& pass, const Kind& kind, const Options& options)
    : options_(options), arena_(engine::allocator(x.device())), keys_(x.device(), most_keys * sizeof(RandomKey)),
      x_(Tensor::empty_like(x)) {
  for (auto& [name, p] : parameters_in_order(network)) parameters_.push_back(p);
  for (auto& [name, b] : buffers_in_order(network)) buffers_.push_back(b);
  places_ = places();
  engine::allocator(x.device()).empty_cache();  // room for the arena
  const engine::Arena::Use use(arena_);
  engine::DeviceRuntime& device = engine::runtime(x.device());
  const autograd::TapeOptions recording = kind.gradients ? autograd::Tape::active()->options() : autograd::TapeOptions{};
  const autograd::NoGrad outside;  // the step's tape sees two operations, the inner tape all of the network's
  std::unique_ptr<autograd::Tape> tape;
  if (kind.gradients) tape = std::make_unique<autograd::Tape>(recording);

  const auto* table = static_cast<const RandomKey*>(keys_.data());
  engine::Generator random = pass.random ? pass.random->reading(table) : engine::Generator(0, "none").reading(table);
  Pass reading = pass;
  if (pass.random) reading.random = &random;
  Segmentation out;
  forward_ = device.record([&] { out = network.forward(Variable(x_), reading); });
  if (!forward_) return;
  n_keys_ = random.unread() - table;
  engine::require<engine::UsageError>(n_keys_ <= most_keys, "a recorded pass may draw {} masks, this one drew {}", most_keys, n_keys_);
  logits_ = out.logits.value(), bottleneck_ = out.bottleneck.value();
  if (!tape) return;

  for (const Variable* p : parameters_)
    engine::require<engine::UsageError>(!p->has_grad(), "a pass is recorded with gradients of an earlier one still there");
  dlogits_ = Tensor::empty_like(logits_);
  if (options.bottleneck_gradient) dbottleneck_ = Tensor::empty_like(bottleneck_);
  std::vector<Variable> outputs{out.logits};
  if (options.bottleneck_gradient) outputs.push_back(out.bottleneck);
  const Variable both = autograd::record("outputs", outputs, logits_, [this](Tensor) -> Gradients {
    return dbottleneck_.defined() ? Gradients{dlogits_, dbottleneck_} : Gradients{dlogits_};
  });
  backward_ = device.record([&] { tape->backward(both, dlogits_); });
  for (Variable* p : parameters_) {
    gradients_.push_back(p->grad());
    p->clear_grad();
  }
}

Segmentation Replay::Recorded::replay(const Variable& x, const Pass& pass) {
  engine::DeviceRuntime& device = engine::runtime(x_.device());
  x_.copy_from(x.value());
  engine::require<engine::UsageError>(pass.random || n_keys_ == 0, "dropout needs a random generator in the pass");
  std::vector<RandomKey> keys;
  for (std::int64_t i = 0; i < n_keys_; ++i) keys.push_back(pass.random->next_key());
  device.copy_from_host(keys_.data(), keys.data(), keys.size() * sizeof(RandomKey));
  forward_->run();
  ++runs_;
  Segmentation out{Variable(logits_.clone()), Variable(bottleneck_.clone())};  // the next pass overwrites ours
  if (!backward_) return out;

  // Two operations for two results. The scores' backward comes first and passes no more than zeros on, unless asked for more.
  std::vector<Variable> inputs;
  for (Variable* p : parameters_) inputs.push_back(*p);
  out.bottleneck = autograd::record("network", inputs, out.bottleneck.value(), [this, run = runs_](Tensor db) -> Gradients {
    engine::require<engine::UsageError>(run == runs_, "a replayed pass has run again before the backward of this one");
    if (dbottleneck_.defined()) dbottleneck_.copy_from(db);
    backward_->run();
    Gradients gradients = gradients_;
    if (options_.lasting_gradients)
      for (Tensor& g : gradients) g = g.clone();
    return gradients;
  });
  out.logits = autograd::record("network scores", {out.bottleneck}, out.logits.value(), [this](Tensor dlogits) -> Gradients {
    dlogits_.copy_from(dlogits);
    return {Tensor::zeros_like(bottleneck_)};
  });
  return out;
}

Replay::Replay(Segmenter& network, Options options) : network_(network), options_(options) {}
Replay::~Replay() = default;

Segmentation Replay::forward(const Variable& x, const Pass& pass) {
  const autograd::Tape* tape = autograd::Tape::active();
  if (!options_.enabled || !pass.training || x.wants_grad() || (tape && tape->options().observer)) return network_.forward(x, pass);
  const Kind kind{{x.shape().begin(), x.shape().end()}, tape != nullptr, pass.update_statistics, pass.dropout};
  const auto [entry, first] = recorded_.try_emplace(kind);
  if (first) return network_.forward(x, pass);
  std::unique_ptr<Recorded>& recorded = entry->second;
  if (!recorded || !recorded->fits()) {
    recorded = nullptr;  // its memory first
    recorded = std::make_unique<Recorded>(network_, x.value(), pass, kind, options_);
  }
  return recorded->ready() ? recorded->replay(x, pass) : network_.forward(x, pass);
}

}  // namespace sagcl::layers
