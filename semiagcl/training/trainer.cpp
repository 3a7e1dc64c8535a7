#include "semiagcl/training/trainer.h"

#include <algorithm>
#include <cmath>

#include "engine/devices/device_registry.h"
#include "engine/parallel.h"
#include "engine/ranges.h"
#include "layers/weights.h"
#include "ops/softmax.h"
#include "semiagcl/settings/network_spec.h"
#include "semiagcl/training/checkpoint.h"
#include "semiagcl/training/teacher.h"
#include "semiagcl/training/training_batches.h"

namespace sagcl::semiagcl {

using engine::Device;
using engine::NonFiniteError;
using engine::require;
using engine::UsageError;

Trainer::Trainer(const RunSettings& settings, const TrainingData& data, Device device, engine::Communicator& ranks)
    : settings_(settings),
      watch_(watch_patterns(settings.debug.watch)),
      data_(data),
      device_(device),
      ranks_(ranks),
      spec_(network_spec(settings.network, data.channels, data.classes)),
      method_(make_training_method(settings_, spec_, device)),
      phases_(method_->phases(), settings_) {
  require<UsageError>(!data.labelled.empty(), "training needs at least one labelled case");
  require<UsageError>(!phases_.uses_unlabelled() || !data.unlabelled.empty(),
                      "{} needs unlabelled cases and every training case is labelled; use --labelled or --method supervised",
                      settings.train.method);
  require<UsageError>(!settings.train.replay || !device.is_cpu(),
                      "train.replay = true records work for a GPU and this run is on the CPU: leave it out");
  require<UsageError>(!settings.train.replay || !method_->waits_for_host(),
                      "train.replay = true: a step of {} reads values on the host and cannot be recorded; leave it out",
                      settings.train.method);
  for (std::size_t i = 0; i < phases_.size(); ++i) check_batches(settings, phases_[i], ranks.size());
  draw_network();
  if (phase().begin) phase().begin(*student_);
  begin_phase();
}

/// Attempt 0 is the seed's own start; every restart draws other weights.
void Trainer::draw_network() {
  engine::Generator random(settings_.train.seed, "initial weights", std::uint64_t(attempt_));
  student_ = layers::make_segmenter(settings_.network.name, spec_, random);
  layers::move_to(*student_, device_);
}

void Trainer::start_from(const std::filesystem::path& file) {
  const engine::TensorFile content = engine::read_safetensors(file);
  if (checkpoint::is_one(content)) layers::load(*student_, checkpoint::student, content, file.string());
  else layers::load_pytorch(*student_, file);
  if (phase().begin) phase().begin(*student_);
}

void Trainer::begin_phase() {
  work_ = std::make_unique<TrainingStep>(settings_, *student_, phase(), device_);
  log_ = std::make_unique<StepLog>(device_);
  feed_batches();
}

void Trainer::feed_batches(std::int64_t ahead) {
  if (batches_) waited_ += batches_->seconds_waited();
  batches_ = nullptr;
  datasets::BatchSpec spec = batch_spec(settings_, phase(), data_.classes);
  spec.shards = settings_.train.shards;
  spec.own_shards = spec.shards / ranks_.size();
  spec.first_shard = ranks_.rank() * spec.own_shards;
  spec.reader = device_;
  const std::int64_t workers = settings_.data.workers;
  spec.threads = workers > 0 ? workers : device_.is_cpu() ? 1 : std::clamp(engine::threads() / 4, 1, 4);
  batches_ = std::make_unique<BatchFeed>(
      std::make_unique<datasets::TwoStreamBatches>(data_.labelled, data_.unlabelled, spec, step_ + ahead, spec.threads + 2),
      device_);
}

datasets::Batch Trainer::next_shard() {
  const engine::Range range("batch");
  return batches_->next();
}

NamedModules Trainer::modules() {
  NamedModules all{{checkpoint::student, student_.get()}};
  if (layers::Module* teacher = method_->teacher()) all.emplace_back(checkpoint::teacher, teacher);
  for (const auto& [name, module] : method_->modules()) all.emplace_back(checkpoint::method + name + "/", module);
  return all;
}

engine::Generator Trainer::random_of(std::int64_t step, std::int64_t shard) const {
  const engine::Generator random(settings_.train.seed, "training step", std::uint64_t(step));
  return whole_batches() ? random : random.fork(2 + std::uint64_t(shard));  // 0 and 1 are the forks of a whole batch
}

TrainingStep::Numbers Trainer::numbers_of(std::int64_t step) const {
  const double decay = method_->ema_decay(settings_);
  return {.ramp = phases_.ramp(step),
          .schedule = method_->schedule(double(step) / double(settings_.train.steps)),
          // The weights of a file have been trained for so long that a teacher averages them at once.
          .alpha = settings_.train.weights.empty() ? ema_alpha(step, decay) : decay,
          .learning_rate = phases_.learning_rate(step)};
}

void Trainer::advance() {
  require<UsageError>(!finished(), "all {} steps are done", settings_.train.steps);
  if (incomplete_.empty()) clock_ = std::chrono::steady_clock::now();
  const engine::Range range("step");
  if (step_ % settings_.train.compare_every == 0) require_equal_weights(ranks_, modules(), step_);
  const TrainingStep::Numbers numbers = numbers_of(step_);
  StepReport report{.step = step_ + 1, .ramp = numbers.ramp, .learning_rate = numbers.learning_rate};
  if (ranks_.rank() == 0) look_inside(report);
  work_->prepare(numbers);
  incomplete_.push_back(std::move(report));
  try {
    whole_batches() ? step_on_whole_batch() : step_on_shards();
  } catch (...) {
    incomplete_.pop_back();
    work_->optimisers().take_back(1);
    feed_batches();
    throw;
  }
  const std::size_t before = phases_.at(step_++), now = phases_.at(step_);
  const bool ends = now != before || finished();
  if (!whole_batches() || ends || std::int64_t(incomplete_.size()) == StepLog::capacity) complete_reports();
  if (!ends) return;
  // Also behind the last restart, so that nobody takes the start for a good one; a run that may not restart does not look.
  const bool looks =
      phases_[before].must_predict_every_class && settings_.train.weights.empty() && settings_.train.restarts > 0;
  std::vector<std::int64_t> unpredicted = looks ? unpredicted_classes() : std::vector<std::int64_t>();
  const bool again = !unpredicted.empty() && attempt_ < settings_.train.restarts;
  complete_.back().unpredicted = std::move(unpredicted), complete_.back().restarted = again;
  if (again) start_again();
  if (now == before && !again) return;  // the run has ended
  if (phase().begin) phase().begin(*student_);
  if (!finished()) begin_phase();
}

/// Forward, backward and update as one piece of work for the device.
void Trainer::step_on_whole_batch() {
  work_->take(next_shard());
  work_->run(random_of(step_, 0), [&](const engine::Generator& random) {
    work_->differentiate(random);
    work_->update(work_->gradients(), {work_->found()});
    StepTensors values = work_->values();
    values.observations = method_->observations();
    log_->write(values);
  });
  if (settings_.debug.check == "finite" && !work_->gate_is_open()) {
    work_->open_gate();
    work_->explain(work_->shard(), random_of(step_, 0), true);
  }
  log_->keep();
  if (!hashes_are_due()) return;
  TensorHashes batch;
  add_hashes(batch, work_->shard());
  write_hashes(work_->gradients(), std::move(batch));
}

/// Forward and backward of one shard after the other; gradients meet on the host.
void Trainer::step_on_shards() {
  const std::int64_t n_shards = settings_.train.shards;
  work_->open_gate();  // the host looks at every loss
  ShardAverage average(ranks_, n_shards, modules(), work_->optimisers().parameters());
  TensorHashes batches;
  for (std::int64_t i = 0; i < n_shards / ranks_.size(); ++i) {
    work_->take(next_shard());
    if (hashes_are_due()) add_hashes(batches, work_->shard());
    average.begin();
    const engine::Generator random = random_of(step_, work_->shard().shard);
    ShardReport done;
    try {
      work_->run(random, [&](const engine::Generator& r) {
        work_->differentiate(r);
        log_->write(work_->values());
      });
      done.values = log_->written();
      if (!std::isfinite(done.values.loss) || (settings_.debug.check == "finite" && !work_->gate_is_open()))
        work_->explain(work_->shard(), random, true);
      done.found = work_->found();
      for (Tensor& t : done.found.tensors())
        if (t.defined()) t = t.clone();  // the next replay overwrites ours
    } catch (const NonFiniteError& e) { done.failure = e.what(); }
    average.end(std::move(done), work_->gradients());
  }
  StepValues& mean = incomplete_.back().values;
  std::vector<Findings> found;
  {
    const engine::Range range("average");
    for (const ShardReport& shard : average.finish()) {
      if (!shard.failure.empty()) throw NonFiniteError(shard.failure);
      mean.loss += shard.values.loss / double(n_shards);
      for (const auto& [name, value] : shard.values.terms) mean.terms[name] += value / double(n_shards);
      found.push_back(shard.found);
    }
  }
  work_->update(average.gradients(), found);
  for (const auto& [name, t] : method_->observations()) mean.observations[name] = t.item();
  if (hashes_are_due()) write_hashes(average.gradients(), std::move(batches));
}

void Trainer::complete_reports() {
  if (incomplete_.empty()) return;
  const std::vector<StepValues> values = log_->read();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - clock_).count();
  std::vector<StepReport> steps = std::exchange(incomplete_, {});
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (whole_batches()) steps[i].values = values[i];
    steps[i].seconds = seconds / double(steps.size());
    if (!std::isfinite(steps[i].values.loss)) take_back_from(steps[i].step);
    complete_.push_back(std::move(steps[i]));
  }
}

void Trainer::take_back_from(std::int64_t step) {
  work_->optimisers().take_back(step_ - step + 1);
  step_ = step - 1;
  work_->open_gate();
  feed_batches();
  const datasets::Batch batch = next_shard();
  feed_batches();
  work_->prepare(numbers_of(step_));  // the numbers that its objective read
  work_->optimisers().take_back(1);
  work_->explain(batch, random_of(step_, batch.shard), true);
}

std::vector<StepReport> Trainer::reports() {
  complete_reports();
  return std::exchange(complete_, {});
}

/// Classes that the student gives to no voxel of the labelled training cases' crops.
std::vector<std::int64_t> Trainer::unpredicted_classes() {
  const engine::Range range("look for unpredicted classes");
  std::vector<bool> seen(std::size_t(data_.classes), false);
  const auto missing = [&] { return std::find(seen.begin(), seen.end(), false) != seen.end(); };
  datasets::BatchSpec spec = batch_spec(settings_, {.name = "labelled"}, data_.classes);
  for (std::int64_t step = 0; missing() && step * spec.labelled < std::int64_t(data_.labelled.size()); ++step) {
    const datasets::Batch batch = datasets::make_batch(data_.labelled, data_.unlabelled, spec, step);
    const Tensor logits = student_->forward(Variable(batch.weak.to(device_)), {}).logits.value();
    for (std::int32_t k : ops::most_likely(logits).to_vector<std::int32_t>()) seen[std::size_t(k)] = true;
  }
  std::vector<std::int64_t> classes;
  for (std::size_t k = 0; k < seen.size(); ++k)
    if (!seen[k]) classes.push_back(std::int64_t(k));
  return classes;
}

/// A start that never predicts one of the classes stays so under every method; it is drawn again, and the method begins anew
/// with all that it has learnt or kept.
void Trainer::start_again() {
  ++attempt_;
  step_ = 0;
  method_ = make_training_method(settings_, spec_, device_);
  phases_ = {method_->phases(), settings_};
  draw_network();
}

layers::Segmenter& Trainer::evaluated() {
  if (settings_.method.evaluated == Evaluated::teacher && method_->teacher()) return *method_->teacher();
  return *student_;
}

engine::TensorFile Trainer::checkpoint() {
  complete_reports();
  engine::TensorFile content;
  for (const auto& [prefix, module] : modules()) {
    layers::store(*module, prefix, content);
    checkpoint::require_finite(content, prefix, step_);
  }
  if (!finished()) checkpoint::store(work_->optimisers().state(), checkpoint::optimiser, content);
  method_->store(content);
  checkpoint::store(checkpoint::Position{step_, attempt_}, content);
  return content;
}

void Trainer::restore(const engine::TensorFile& content, const std::string& source) {
  const checkpoint::Position position = checkpoint::position_of(content, source);
  step_ = position.step, attempt_ = position.attempt;
  incomplete_.clear(), complete_.clear();
  for (std::size_t i = 0; i <= phases_.at(step_); ++i)
    if (phases_[i].begin) phases_[i].begin(*student_);  // which modules are in use
  for (const auto& [prefix, module] : modules()) layers::load(*module, prefix, content, source);
  if (!finished()) begin_phase();
  try {
    method_->load(content);
    if (finished()) return;
    std::map<std::string, Tensor> state = checkpoint::state_of(content, checkpoint::optimiser);
    for (auto& [name, t] : state) t = t.to(device_);
    work_->optimisers().load_state(state);
  } catch (const engine::DataError& e) { engine::fail<engine::DataError>("{}: {}", source, e.what()); }
}

}  // namespace sagcl::semiagcl
