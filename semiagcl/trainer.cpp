#include "semiagcl/trainer.h"

#include <chrono>
#include <algorithm>
#include <cmath>

#include "layers/schedule.h"
#include "layers/weights.h"
#include "ops/arithmetic.h"
#include "ops/layout.h"
#include "ops/softmax.h"
#include "semiagcl/first_non_finite.h"
#include "semiagcl/supervised_loss.h"
#include "semiagcl/training_batches.h"

namespace sagcl::semiagcl {

using engine::Device;
using engine::NonFiniteError;
using engine::require;
using engine::UsageError;

Trainer::Trainer(const RunSettings& settings, const TrainingData& data, Device device, engine::Communicator& ranks)
    : settings_(settings), data_(data), device_(device), ranks_(ranks),
      spec_{.in_channels = data.channels, .classes = data.classes, .width = settings.network.width},
      warmup_(warm_up_steps(settings.train.steps, settings.method)) {
  method_ = make_training_method(settings_, spec_, device_);
  require<UsageError>(!data.labelled.empty(), "training needs at least one labelled case");
  require<UsageError>(!method_->uses_unlabelled() || !data.unlabelled.empty(),
                      "{} needs unlabelled cases and every training case is labelled; use --labeled or --method supervised",
                      settings.train.method);
  require<UsageError>(!settings.train.replay || !device.is_cpu(),
                      "train.replay = true records work for a GPU and this run is on the CPU: leave it out");
  check_batches(settings, method_->uses_unlabelled(), ranks.size());
  make_network();
  if (averaging()) method_->begin(*student_);
  start_phase();
}

/// Attempt 0 is the seed's own start; every restart draws other weights.
void Trainer::make_network() {
  engine::Generator random(settings_.train.seed, "initial weights", std::uint64_t(attempt_));
  student_ = layers::make_segmenter(settings_.network.name, spec_, random);
  layers::move_to(*student_, device_);
}

void Trainer::start_from(const std::filesystem::path& file) {
  const engine::TensorFile content = engine::read_safetensors(file);
  if (content.notes.count("step")) layers::load(*student_, "student/", content, file.string());
  else layers::load_pytorch(*student_, file);
  if (averaging()) method_->begin(*student_);
}

/// A fresh optimiser and the batches of the phase that begins or goes on at step_.
void Trainer::start_phase() {
  make_optimizer();
  passes_ = std::make_unique<layers::Replay>(
      *student_, layers::Replay::Options{.enabled = settings_.train.replay,
                                         .bottleneck_gradient = settings_.method.embedding == Embedding::roi,
                                         .lasting_gradients = settings_.train.shards > 1});
  batches_ = nullptr;
  datasets::BatchSpec spec = batch_spec(settings_, !warming_up() && method_->uses_unlabelled());
  spec.shards = settings_.train.shards;
  spec.own_shards = spec.shards / ranks_.size();
  spec.first_shard = ranks_.rank() * spec.own_shards;
  spec.reader = device_;
  batches_ = std::make_unique<BatchFeed>(
      std::make_unique<datasets::TwoStreamBatches>(data_.labelled, data_.unlabelled, spec, step_), device_);
}

void Trainer::make_optimizer() {
  std::map<std::string, Variable*> parameters = layers::parameters_of(*student_);
  std::set<std::string> optional;
  if (!warming_up())
    for (auto& [name, module] : method_->trained_modules())
      for (auto& [part, p] : layers::parameters_of(*module)) {
        parameters[name + "." + part] = p;
        optional.insert(name + "." + part);  // no anchors, no gradient
      }
  const TrainSettings& t = settings_.train;
  if (t.optimizer == "sgd")
    optimizer_ = std::make_unique<layers::Sgd>(parameters, layers::SgdSpec{.momentum = t.momentum, .weight_decay = t.weight_decay}, optional);
  else
    optimizer_ = std::make_unique<layers::Adam>(parameters, layers::AdamSpec{.weight_decay = t.weight_decay}, optional);
}

double Trainer::learning_rate() const {
  const TrainSettings& t = settings_.train;
  const std::int64_t begin = warming_up() ? 0 : warmup_, done = step_ - begin;
  double rate = t.learning_rate;
  if (!warming_up()) rate = layers::poly_decay(rate, done, t.steps - begin, t.poly_power);
  if (t.decay_every > 0) rate = layers::step_decay(rate, step_, t.decay_every);
  if (done < t.ease_in) rate *= double(done + 1) / double(t.ease_in);
  return rate;
}

/// Behind the student's weights; those of a file have been trained for so long that a teacher averages them at once.
std::int64_t Trainer::steps_trained() const { return settings_.train.weights.empty() ? step_ : step_ + (std::int64_t(1) << 32); }

/// Modules whose weights or running statistics move now.
std::vector<layers::Module*> Trainer::modules() {
  std::vector<layers::Module*> all;
  if (averaging()) all = method_->modules();
  all.insert(all.begin(), student_.get());
  return all;
}

/// Forward and Eq. 8. `terms` receives what it sums.
Variable Trainer::total_loss(const datasets::Batch& shard, std::vector<Term>& terms, Findings& found) {
  engine::Generator random(settings_.train.seed, "training step", std::uint64_t(step_));
  // 0 and 1 are the forks of a whole batch
  if (settings_.train.shards > 1) random = random.fork(2 + std::uint64_t(shard.shard));
  engine::Generator dropout = random.fork(0);
  const layers::Pass pass{.training = true, .random = &dropout};
  const layers::Segmentation out = passes_->forward(Variable(shard.strong), pass);
  const bool all = shard.labelled == shard.strong.shape()[0];
  const Variable labelled = all ? out.logits : ops::slice(out.logits, 0, 0, shard.labelled);
  terms.push_back({"sup", supervised_loss(labelled, shard.label), 1});
  if (!warming_up()) {
    StepInput in{shard, out, *student_, weights_at(step_, settings_.train.steps, settings_.method),
                 double(step_) / double(settings_.train.steps), random.fork(1), found};
    for (Term& term : method_->terms(in)) terms.push_back(std::move(term));
  }
  return objective(terms);
}

/// The next shard, on the device.
datasets::Batch Trainer::next_shard() {
  const engine::Range phase("batch");
  datasets::Batch batch = batches_->next();
  if (batch.labelled < batch.label.shape()[0]) {  // the supervised loss reads the labelled part alone
    Tensor known = Tensor::empty(batch.label.shape().with(0, batch.labelled), batch.label.dtype(), device_);
    engine::runtime(device_).copy_within(known.bytes_begin(), batch.label.bytes_begin(), known.bytes());
    batch.label = known;
  }
  return batch;
}

/// Forward and backward of one shard.
ShardReport Trainer::run(const datasets::Batch& shard) {
  ShardReport report;
  std::vector<Term> terms;
  engine::Range phase("forward");
  try {
    autograd::Tape tape;
    const Variable loss = total_loss(shard, terms, report.found);
    report.loss = loss.value().item();
    phase.next("backward");
    const std::int64_t shards = settings_.train.shards;
    if (std::isfinite(report.loss)) tape.backward(shards == 1 ? loss : ops::scale(loss, 1 / double(shards)));
  } catch (const engine::UsageError&) {  // an operation may refuse a NaN before it reaches the loss
    explain_not_finite(shard, false);
    throw;
  } catch (const engine::BackendError&) {
    explain_not_finite(shard, false);
    throw;
  }
  if (!std::isfinite(report.loss)) explain_not_finite(shard, true);
  for (const Term& term : terms) report.terms[term.name] = term.value.value().item();
  return report;
}

StepReport Trainer::advance() {
  require<UsageError>(!finished(), "all {} steps are done", settings_.train.steps);
  const auto start = std::chrono::steady_clock::now();
  const engine::Range step("step");
  if (step_ % settings_.train.compare_every == 0) require_equal_weights(ranks_, modules(), step_);

  const std::int64_t n_shards = settings_.train.shards;
  ShardAverage average(ranks_, n_shards, modules(), *optimizer_);
  for (std::int64_t i = 0; i < n_shards / ranks_.size(); ++i) {
    const datasets::Batch shard = next_shard();
    average.begin();
    ShardReport done;
    try {
      done = run(shard);
    } catch (const NonFiniteError& e) {
      done.failure = e.what();
    }
    average.end(std::move(done));
  }
  engine::Range phase("average");
  const std::vector<ShardReport> shards = average.finish();

  StepReport report;
  report.learning_rate = learning_rate();
  std::vector<Findings> found;
  for (const ShardReport& shard : shards) {  // a term that a shard does not have is 0 there
    if (!shard.failure.empty()) throw NonFiniteError(shard.failure);
    report.loss += shard.loss / double(n_shards);
    for (const auto& [name, value] : shard.terms) report.terms[name] += value / double(n_shards);
    found.push_back(shard.found);
  }
  phase.next("optimiser");
  optimizer_->step(report.learning_rate, average.gradients());
  phase.next("after update");
  const bool was_warming_up = warming_up();
  if (!was_warming_up) {
    report.ramp = weights_at(step_, settings_.train.steps, settings_.method).ramp;
    method_->after_update(*student_, steps_trained(), found);
    report.observations = method_->observations();
  } else if (averaging()) {
    method_->warm_up(*student_, steps_trained());
  }
  ++step_;
  if (was_warming_up && !warming_up()) {  // the warm-up has just ended
    report.restarted = restart_warm_up();
    if (report.restarted == settings_.method.average_warm_up) method_->begin(*student_);
    if (!finished()) start_phase();
  }
  report.step = step_;
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

/// True if the student gives every class to at least one voxel of the labelled training cases' crops.
bool Trainer::predicts_every_class() {
  std::vector<bool> seen(std::size_t(data_.classes), false);
  datasets::BatchSpec spec = batch_spec(settings_, false);
  for (std::int64_t step = 0; step * spec.labelled < std::int64_t(data_.labelled.size()); ++step) {
    const datasets::Batch batch = datasets::make_batch(data_.labelled, data_.unlabelled, spec, step);
    const Tensor logits = student_->forward(Variable(batch.weak.to(device_)), {}).logits.value();
    for (std::int32_t k : ops::most_likely(logits).to_vector<std::int32_t>()) seen[std::size_t(k)] = true;
  }
  return std::find(seen.begin(), seen.end(), false) == seen.end();
}

/// A start that never predicts one of the classes stays so under every method; it is drawn again.
bool Trainer::restart_warm_up() {
  if (attempt_ >= settings_.train.restarts || !settings_.train.weights.empty() || predicts_every_class()) return false;
  ++attempt_;
  step_ = 0;
  make_network();
  return true;
}

/// Runs the same step again under observation; everything it draws depends on the step alone. Returns where all is finite,
/// unless that is `certain` to be wrong: then something else went wrong in the step.
void Trainer::explain_not_finite(const datasets::Batch& batch, bool certain) {
  FirstNonFinite observer;
  std::vector<Term> terms;
  try {
    autograd::Tape tape({.observer = &observer});
    Findings found;
    total_loss(batch, terms, found);
  } catch (const engine::Error&) {
    if (observer.found.empty()) return;  // not a matter of finite values: the caller's error stands
  }
  if (!certain && observer.found.empty()) return;
  std::string values;
  for (const Term& term : terms) values += fmt::format(" {} = {}", term.name, term.value.value().item());
  std::string cases;
  for (const std::string& id : batch.ids) cases += " " + id;
  engine::fail<NonFiniteError>("step {}: the loss is not finite ({}); {}; cases of the batch:{}. The last checkpoint is untouched. "
                               "Try a smaller train.learning_rate, or look at the cases with NaN-free intensities in mind",
                               step_ + 1, values.empty() ? "" : values.substr(1),
                               observer.found.empty() ? "no single operation could be named" : observer.found, cases);
}

layers::Segmenter& Trainer::evaluated() {
  if (settings_.method.evaluated == Evaluated::teacher && method_->teacher()) return *method_->teacher();
  return *student_;
}

engine::TensorFile Trainer::checkpoint() const {
  engine::TensorFile content;
  layers::store(*student_, "student/", content);
  for (const auto& [name, t] : content.tensors)
    for (double v : t.to_doubles())
      require<NonFiniteError>(std::isfinite(v), "step {}: the weight {} is not finite; no checkpoint is written", step_, name);
  if (!finished())
    for (const auto& [name, t] : optimizer_->state()) content.tensors["optimizer/" + name] = t.to(Device::cpu());
  method_->store(content);
  content.notes["step"] = std::to_string(step_);
  content.notes["attempt"] = std::to_string(attempt_);
  return content;
}

void Trainer::restore(const engine::TensorFile& content, const std::string& source) {
  const auto number = [&](const char* name) {
    auto found = content.notes.find(name);
    require<engine::DataError>(found != content.notes.end(), "{}: is not a checkpoint of a run: it has no note '{}'", source, name);
    return std::stoll(found->second);
  };
  step_ = number("step");
  attempt_ = number("attempt");
  layers::load(*student_, "student/", content, source);
  if (averaging()) method_->begin(*student_);
  method_->load(content, source);
  if (finished()) return;
  start_phase();
  std::map<std::string, Tensor> state;
  for (const auto& [name, t] : content.tensors)
    if (name.starts_with("optimizer/")) state[name.substr(10)] = t.to(device_);
  optimizer_->load_state(state);
}

}  // namespace sagcl::semiagcl
