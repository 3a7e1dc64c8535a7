#include "semiagcl/training/trainer.h"

#include <chrono>
#include <algorithm>
#include <cmath>

#include "layers/schedule.h"
#include "layers/weights.h"
#include "ops/arithmetic.h"
#include "ops/updates.h"
#include "ops/layout.h"
#include "ops/softmax.h"
#include "semiagcl/training/first_non_finite.h"
#include "semiagcl/training/supervised_loss.h"
#include "semiagcl/training/teacher.h"
#include "semiagcl/training/training_batches.h"

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
  for (Tensor* number : {&ramp_, &number_, &alpha_, &open_}) *number = Tensor::full({1}, 1, engine::Dtype::f64, device);
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
  replay_ = std::make_unique<engine::Replay>(device_, settings_.train.replay);
  shard_ = {};
  row_ = rows_ = {};
  start_batches();
}

void Trainer::start_batches() {
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
  if (!warming_up())
    for (auto& [name, module] : method_->trained_modules())
      for (auto& [part, p] : layers::parameters_of(*module)) parameters[name + "." + part] = p;
  const TrainSettings& t = settings_.train;
  if (t.optimizer == "sgd")
    optimizer_ = std::make_unique<layers::Sgd>(parameters, layers::SgdSpec{.momentum = t.momentum, .weight_decay = t.weight_decay});
  else optimizer_ = std::make_unique<layers::Adam>(parameters, layers::AdamSpec{.weight_decay = t.weight_decay});
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

engine::Generator Trainer::random_of(std::int64_t shard) const {
  const engine::Generator random(settings_.train.seed, "training step", std::uint64_t(step_));
  return whole_steps() ? random : random.fork(2 + std::uint64_t(shard));  // 0 and 1 are the forks of a whole batch
}

/// Forward and Eq. 8. `terms` receives what it sums.
Variable Trainer::total_loss(const datasets::Batch& shard, const engine::Generator& random, std::vector<Term>& terms, Findings& found) {
  engine::Generator dropout = random.fork(0);
  const layers::Segmentation out = student_->forward(Variable(shard.strong), {.training = true, .random = &dropout});
  const bool all = shard.labelled == shard.strong.shape()[0];
  const Variable labelled = all ? out.logits : ops::slice(out.logits, 0, 0, shard.labelled);
  terms.push_back({"sup", supervised_loss(labelled, shard.label)});
  if (!warming_up()) {
    StepInput in{shard, out, *student_, ramp_, number_, random.fork(1), found};
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

/// Makes `shard` the one that is worked on, where recorded work expects it.
void Trainer::take(datasets::Batch shard) {
  if (settings_.train.replay && shard_.weak.defined())
    for (Tensor datasets::Batch::*part : {&datasets::Batch::weak, &datasets::Batch::strong, &datasets::Batch::label}) {
      (shard_.*part).copy_from(shard.*part);
      shard.*part = shard_.*part;
    }
  shard_ = std::move(shard);
}

/// Forward and backward of shard_.
void Trainer::pass(const engine::Generator& random) {
  std::vector<Term> terms;
  found_.clear(), values_.clear(), gradients_.clear();
  for (const auto& [name, p] : optimizer_->parameters()) p->clear_grad();  // of a backward that failed
  engine::Range phase("forward");
  autograd::Tape tape;
  const Variable loss = total_loss(shard_, random, terms, found_);
  ops::close_unless_finite(loss.value(), open_);
  phase.next("backward");
  tape.backward(whole_steps() ? loss : ops::scale(loss, 1 / double(settings_.train.shards)));
  gradients_ = optimizer_->take_gradients();
  values_["loss"] = loss.value();
  for (const Term& term : terms) values_["term " + term.name] = term.value.value();
}

void Trainer::update(const layers::NamedGradients& gradients, const std::vector<Findings>& shards) {
  engine::Range phase("optimiser");
  optimizer_->apply(gradients, open_);
  phase.next("after update");
  const StepUpdate update{*student_, alpha_, open_, shards};
  if (!warming_up()) method_->after_update(update);
  else if (averaging()) method_->warm_up(update);
}

/// values_ side by side in row_.
void Trainer::write_row() {
  if (!row_.defined()) {
    row_ = Tensor::empty({std::int64_t(values_.size())}, engine::Dtype::f32, device_);
    names_.clear();
    for (const auto& [name, t] : values_) names_.push_back(name);
  }
  float* to = row_.data<float>();
  for (const auto& [name, t] : values_) engine::runtime(device_).copy_within(to++, t.data<float>(), sizeof(float));
}

/// The numbers of this step, to the device.
void Trainer::prepare() {
  const auto set = [&](Tensor& number, double value) {
    engine::runtime(device_).copy_from_host(number.bytes_begin(), &value, sizeof value);
  };
  set(ramp_, ramp_at(step_, settings_.train.steps, settings_.method));
  set(number_, method_->number(double(step_) / double(settings_.train.steps)));
  set(alpha_, ema_alpha(steps_trained(), settings_.method.ema_decay));
  if (!whole_steps()) set(open_, 1);  // the host looks at every loss
  optimizer_->prepare(learning_rate());
}

/// Work on shard_, recorded and replayed if the settings say so.
void Trainer::run(const engine::Generator& random, const std::function<void(const engine::Generator&)>& work) {
  try {
    replay_->run(random, work);
  } catch (const engine::UsageError&) {  // an operation may refuse a NaN before it reaches the loss
    explain_not_finite(shard_, false);
    throw;
  } catch (const engine::BackendError&) {
    explain_not_finite(shard_, false);
    throw;
  }
}

/// A whole step as one piece of work for the device.
void Trainer::run_whole() {
  take(next_shard());
  run(random_of(0), [&](const engine::Generator& random) {
    pass(random);
    update(gradients_, {found_});
    for (const auto& [name, t] : method_->observations()) values_["observed " + name] = t;
    write_row();
  });
  if (!rows_.defined()) rows_ = Tensor::empty({most_rows, row_.size()}, row_.dtype(), device_);
  float* to = rows_.data<float>() + std::int64_t(unread_.size()) * row_.size();
  engine::runtime(device_).copy_within(to, row_.bytes_begin(), row_.bytes());
}

/// Forward and backward of shard_, and what it found.
ShardReport Trainer::run_shard() {
  run(random_of(shard_.shard), [&](const engine::Generator& random) {
    pass(random);
    write_row();
  });
  ShardReport report;
  const std::vector<float> row = row_.to_vector<float>();
  for (std::size_t i = 0; i < names_.size(); ++i)
    if (names_[i] == "loss") report.loss = row[i];
    else report.terms[names_[i].substr(5)] = row[i];
  if (!std::isfinite(report.loss)) explain_not_finite(shard_, true);
  for (const auto& [name, t] : found_) report.found[name] = t.clone();  // the next replay overwrites ours
  return report;
}

/// A step over several shards: gradients meet on the host.
void Trainer::run_shards(StepReport& report) {
  const std::int64_t n_shards = settings_.train.shards;
  ShardAverage average(ranks_, n_shards, modules(), *optimizer_);
  for (std::int64_t i = 0; i < n_shards / ranks_.size(); ++i) {
    take(next_shard());
    average.begin();
    ShardReport done;
    try {
      done = run_shard();
    } catch (const NonFiniteError& e) {
      done.failure = e.what();
    }
    average.end(std::move(done), gradients_);
  }
  std::vector<Findings> found;
  {
    const engine::Range phase("average");
    for (const ShardReport& shard : average.finish()) {
      if (!shard.failure.empty()) throw NonFiniteError(shard.failure);
      report.loss += shard.loss / double(n_shards);
      for (const auto& [name, value] : shard.terms) report.terms[name] += value / double(n_shards);
      found.push_back(shard.found);
    }
  }
  update(average.gradients(), found);
  for (const auto& [name, t] : method_->observations()) report.observations[name] = t.item();
}

void Trainer::advance() {
  require<UsageError>(!finished(), "all {} steps are done", settings_.train.steps);
  if (unread_.empty()) clock_ = std::chrono::steady_clock::now();
  const engine::Range step("step");
  if (step_ % settings_.train.compare_every == 0) require_equal_weights(ranks_, modules(), step_);
  prepare();
  StepReport report;
  report.step = step_ + 1;
  report.ramp = ramp_at(step_, settings_.train.steps, settings_.method);
  report.learning_rate = learning_rate();
  try {
    whole_steps() ? run_whole() : run_shards(report);
  } catch (...) {
    optimizer_->take_back(1);
    start_batches();
    throw;
  }
  const bool was_warming_up = warming_up();
  unread_.push_back(std::move(report));
  ++step_;
  const bool ended = was_warming_up && !warming_up();
  if (!whole_steps() || ended || std::int64_t(unread_.size()) == most_rows) read();
  if (!ended) return;
  read_.back().restarted = restart_warm_up();
  if (read_.back().restarted == settings_.method.average_warm_up) method_->begin(*student_);
  if (!finished()) start_phase();
}

/// Waits for the device and completes the unread reports.
void Trainer::read() {
  if (unread_.empty()) return;
  const std::vector<float> values = whole_steps() ? rows_.to_vector<float>() : std::vector<float>();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - clock_).count();
  const std::vector<StepReport> steps = std::exchange(unread_, {});
  for (std::size_t i = 0; i < steps.size(); ++i) {
    StepReport report = steps[i];
    report.seconds = seconds / double(steps.size());
    for (std::size_t n = 0; whole_steps() && n < names_.size(); ++n) {
      const double value = values[i * names_.size() + n];
      const std::string& name = names_[n];
      if (name == "loss") report.loss = value;
      else if (name.starts_with("term ")) report.terms[name.substr(5)] = value;
      else report.observations[name.substr(9)] = value;
    }
    if (!std::isfinite(report.loss)) undo(report.step, std::int64_t(steps.size() - i));
    read_.push_back(std::move(report));
  }
}

/// The last `count` steps, of which `first` gave a loss that is not finite, changed nothing: takes them back and says why.
void Trainer::undo(std::int64_t first, std::int64_t count) {
  step_ = first - 1;
  optimizer_->take_back(count);
  open_.copy_from(Tensor::full({1}, 1, open_.dtype(), device_));
  start_batches();
  const datasets::Batch batch = next_shard();
  start_batches();
  prepare();
  optimizer_->take_back(1);
  explain_not_finite(batch, true);
}

std::vector<StepReport> Trainer::reports() {
  read();
  return std::exchange(read_, {});
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
    total_loss(batch, random_of(batch.shard), terms, found);
  } catch (const engine::Error&) {
    // Nothing found: not a matter of finite values, and the caller's error stands.
  }
  if (!certain && observer.found.empty()) return;
  std::string values;
  for (const Term& term : terms) values += fmt::format(" {} = {}", term.name, term.value.value().item());
  std::string cases;
  for (const std::string& id : batch.ids) cases += " " + id;
  engine::fail<NonFiniteError>("step {}: the loss is not finite ({}); {}; cases of the batch:{}. The last checkpoint is untouched. "
                               "Try a smaller train.learning_rate, or look at the cases with NaN-free intensities in mind",
                               step_ + 1, values.empty() ? "" : values.substr(1),
                               !observer.found.empty()    ? observer.found
                               : settings_.train.replay ? "the step is finite when it is not replayed: go on with train.replay = false"
                                                        : "no single operation could be named", cases);
}

layers::Segmenter& Trainer::evaluated() {
  if (settings_.method.evaluated == Evaluated::teacher && method_->teacher()) return *method_->teacher();
  return *student_;
}

engine::TensorFile Trainer::checkpoint() {
  read();
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
  unread_.clear(), read_.clear();
  open_ = Tensor::full({1}, 1, engine::Dtype::f64, device_);
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
