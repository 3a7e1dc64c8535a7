#include "tools/run/training_run.h"

#include <algorithm>
#include <optional>
#include <set>

#include "datasets/text.h"
#include "engine/devices/device_choice.h"
#include "engine/devices/device_registry.h"
#include "engine/parallel.h"
#include "engine/processes/connect.h"
#include "tools/programs/json_text.h"
#include "tools/programs/program.h"
#include "tools/programs/progress.h"
#include "tools/programs/signals.h"
#include "tools/report/report.h"
#include "tools/run/config.h"
#include "tools/run/method_look.h"
#include "tools/run/preflight.h"
#include "tools/run/processes.h"
#include "tools/run/run_data.h"
#include "tools/run/run_writer.h"

namespace sagcl::tools {

using datasets::Sample;
using engine::DataError;
using engine::require;
using engine::Tensor;
using semiagcl::EvaluationSettings;
using semiagcl::RunSettings;
using semiagcl::StepReport;
using semiagcl::Trainer;

namespace {

/// Parameters of the student and of what any phase trains beside it.
std::int64_t trained_parameters(Trainer& trainer) {
  std::set<layers::Module*> beside;
  std::int64_t count = layers::count_parameters(trainer.student());
  for (std::size_t i = 0; i < trainer.phases().size(); ++i)
    for (const semiagcl::TrainedModule& one : trainer.phases()[i].trained)
      if (beside.insert(one.module).second) count += layers::count_parameters(*one.module);
  return count;
}

class TrainingSession {
 public:
  TrainingSession(const TrainOptions& options, engine::Communicator& ranks)
      : options_(options),
        ranks_(ranks),
        choice_(device_of_process(options.device, options.settings.train.precision, ranks)),
        gpus_(engine::connect_devices(ranks, choice_.device)),
        data_(load_run_data(options.settings, split_to_use(options.out, options.state, options.split),
                            options.state == RunState::none ? nullptr : &renewed_)),
        trainer_(options_.settings, data_.training, choice_.device, gpus_ ? *gpus_ : ranks),
        held_out_(data_, options_.settings, choice_.device) {
    if (!goes_on() && !options.settings.train.weights.empty()) trainer_.start_from(options.settings.train.weights);
  }

  int run();

 private:
  bool goes_on() const { return options_.state == RunState::saved || options_.state == RunState::finished; }
  void introduce();
  void look_ahead();
  int dry_run();
  void restore();
  void begin();
  void record_changes();
  void save();
  void log(const StepReport& report, Progress& progress);
  std::vector<ValidationPoint> measure(const std::string& cases, const std::vector<std::string>& ids);
  bool due(std::int64_t step) const;
  bool train();
  bool finish();
  int conclude();
  int interrupted();

  const TrainOptions& options_;
  engine::Communicator& ranks_;
  engine::DeviceChoice choice_;
  std::unique_ptr<engine::Communicator> gpus_;
  std::vector<std::string> renewed_;  // held-out cases whose files have changed since the run began
  RunData data_;
  Trainer trainer_;
  HeldOut held_out_;
  std::optional<Trial> trial_;
  std::unique_ptr<RunWriter> writer_;  // of the first process alone
  MethodLooks looks_;
  double seconds_ = 0;
  std::set<std::string> told_;  // patterns of debug.watch that nothing fitted
};

void TrainingSession::introduce() {
  const auto& s = options_.settings;
  say(fmt::format("data     {}: {} labelled, {} unlabelled, {} validation, {} test cases; classes {}", data_.dataset.name,
                  data_.split.labelled.size(), data_.split.unlabelled.size(), data_.split.validation.size(),
                  data_.split.test.size(), fmt::join(data_.dataset.classes, ", ")));
  say("labelled " + datasets::some_of(data_.split.labelled, 16));
  if (data_.orientations.differ())
    say(fmt::format("warning: {}: {}", data_.dataset.folder.string(), data_.orientations.warning()));
  const std::int64_t count = layers::count_parameters(trainer_.student());
  say(fmt::format("network  {} of width {}: {} parameters; patch {}, batch {}", s.network.name, s.network.width, count,
                  fmt::join(s.train.patch, "x"), s.train.batch));
  std::vector<std::string> phases;
  for (std::size_t i = 0; i < trainer_.phases().size(); ++i)
    if (const semiagcl::Phase& phase = trainer_.phases()[i]; phase.steps > 0)
      phases.push_back(fmt::format("{} {}", phase.steps, phase.name));
  say(fmt::format("method   {}: {} steps ({}), {} at {}, seed {}", s.train.method, s.train.steps, fmt::join(phases, ", "),
                  s.train.optimiser, s.train.learning_rate, s.train.seed));
  if (!s.train.weights.empty()) say("weights  " + s.train.weights);
  say(fmt::format("device   {}, {} threads", choice_.text, engine::threads()));
  if (s.train.shards > 1)
    say(fmt::format("shards   {} of {} samples, {} processes", s.train.shards, s.train.batch / s.train.shards,
                    ranks_.size()));
}

/// Two real steps, of which the second is timed, since the first prepares; nothing is written.
int TrainingSession::dry_run() {
  double seconds = 0;
  for (int i = 0; i < 2 && !trainer_.finished(); ++i) trainer_.advance(), seconds = trainer_.reports().back().seconds;
  const auto memory = engine::allocator(choice_.device).statistics();
  say(fmt::format("dry run: about {:.2f} s per step, {} for all {} steps; {:.0f} MiB at the peak; nothing was written",
                  seconds, duration_text(seconds * double(options_.settings.train.steps)), options_.settings.train.steps,
                  double(memory.peak) / (1 << 20)));
  return exit_ok;
}

/// What is needed only later, looked at before the first step by the first process.
void TrainingSession::look_ahead() {
  if (ranks_.rank() > 0) return;
  trial_ = tools::look_ahead(data_, options_.settings, held_out_, trainer_.student());
  for (const engine::Device device : {engine::Device::cpu(), choice_.device}) engine::allocator(device).empty_cache();
  if (options_.out.empty()) return;  // a dry run
  require_space(options_.out,
                checkpoints_to_come(options_.out, options_.settings, trainer_.averages(), trainer_.checkpoint()));
}

/// The state of the newest checkpoint, if its run had the settings that config.toml says.
void TrainingSession::restore() {
  const Checkpoint checkpoint = newest_checkpoint(options_.out);
  trainer_.restore(checkpoint.content, checkpoint.file.string());
  if (const auto config = checkpoint.content.notes.find("config"); config != checkpoint.content.notes.end()) {
    const RunSettings trained = settings_in(config->second, checkpoint.file.string() + " (note 'config')");
    const std::string changed = differences(with_what_may_change(trained, options_.settings), options_.settings);
    require<DataError>(
        changed.empty(),
        "{}: its settings are not those that {} was trained with (trained | now):\n{}put config.toml back; the "
        "checkpoint holds it as its note 'config'",
        (options_.out / "config.toml").string(), checkpoint.file.string(), changed);
  }
  say(fmt::format("resumed  {} at step {}", checkpoint.file.string(), trainer_.steps_done()));
}

/// A new run folder, or the state of an old one.
void TrainingSession::begin() {
  if (goes_on()) restore();
  engine::wait_for_all(ranks_);  // all have read the folder before the first process changes it
  if (ranks_.rank() > 0) return;
  writer_ = std::make_unique<RunWriter>(options_.out, trained_parameters(trainer_), options_.settings.debug.watch_npy);
  if (trial_) std::filesystem::remove(writer_->prediction(trial_->sample, trial_->prediction, data_.dataset));
  trial_.reset();
  if (goes_on()) {
    seconds_ = read_status(options_.out).seconds;
    writer_->status("running", trainer_.steps_done(), seconds_, "");  // from now on it is not what it was
    writer_->go_on(trainer_.attempt(), trainer_.steps_done());
  } else {
    datasets::write_split(options_.out / "split.json", data_.dataset, data_.split);
    writer_->start(to_toml(options_.settings), options_.command, choice_);
  }
  record_changes();
  if (!goes_on()) return;
  const std::int64_t step = trainer_.steps_done(), every = options_.settings.evaluation.every;
  if (every > 0 && step > 0 && step % every == 0 && !trainer_.finished()) measure("validation", data_.split.validation);
  writer_->summaries();
}

/// What has changed since the run was left is told and stays on record; only then does it hold for the next time.
void TrainingSession::record_changes() {
  const auto record = [&](const std::string& text) {
    say("changed  " + text);
    writer_->note(trainer_.steps_done(), text);
  };
  if (!options_.changes.empty()) {
    record("settings (before | now): " + options_.changes.substr(0, options_.changes.find_last_not_of('\n') + 1));
    writer_->config(to_toml(options_.settings));
  }
  for (const std::string& id : renewed_)
    record(fmt::format("the files of case {}, which is held out, since the run began", id));
  if (!renewed_.empty()) datasets::write_split(options_.out / "split.json", data_.dataset, data_.split);
}

void TrainingSession::save() {
  engine::TensorFile content = trainer_.checkpoint();
  content.notes["config"] = to_toml(options_.settings);
  content.notes["classes"] = json_text(nlohmann::json(data_.dataset.classes));
  if (const std::string code = data_.orientations.common(); !code.empty()) content.notes["orientation"] = code;
  content.notes["channels"] = std::to_string(data_.training.channels);
  writer_->checkpoint(trainer_.steps_done(), content);
  writer_->status("running", trainer_.steps_done(), seconds_, "");
}

void TrainingSession::log(const StepReport& report, Progress& progress) {
  writer_->train(report);
  std::string detail = fmt::format("loss {:.4f}", report.values.loss);
  for (const auto& [name, value] : report.values.terms) detail += fmt::format("  {} {:.4f}", name, value);
  progress.update(report.step, detail);
  if (report.watched)
    for (const std::string& pattern : report.watched->without)
      if (told_.insert(pattern).second)
        progress.message(
            fmt::format("warning: debug.watch: nothing in step {} fits {}; sagcl-inspect watch lists what there is",
                        report.step, pattern));
  if (!report.unpredicted.empty()) {
    std::vector<std::string> names;
    for (const std::int64_t k : report.unpredicted) names.push_back(data_.dataset.classes[std::size_t(k)]);
    progress.message(fmt::format("{}step {}: no voxel of the labelled cases is given the class {}{}",
                                 report.restarted ? "" : "warning: ", report.step, fmt::join(names, ", "),
                                 report.restarted ? ": the run starts again with other weights"
                                                  : ", after all restarts; more steps (train.steps), more channels "
                                                    "(network.width) or more labels of it may help"));
  }
  if (report.restarted)
    return save();  // instead of the checkpoints of the first attempt, whose steps would be counted as later
  const auto& s = options_.settings;
  if (trainer_.finished()) return;
  const bool evaluate = s.evaluation.every > 0 && report.step % s.evaluation.every == 0;
  const bool keep = report.step % s.evaluation.checkpoint_every == 0;
  if (evaluate)
    for (const ValidationPoint& p : measure("validation", data_.split.validation))
      progress.message(fmt::format("step {}: validation Dice of the {} {:.4f}", report.step, p.network, p.dice));
  if (keep) save();
  if (evaluate || keep) writer_->summaries();
}

/// Dice of student and teacher on some cases, written into the run; nothing if a signal came or there are none. Of the
/// validation cases the first one is also shown, with the network that will be evaluated.
std::vector<ValidationPoint> TrainingSession::measure(const std::string& cases, const std::vector<std::string>& ids) {
  std::vector<ValidationPoint> points;
  std::optional<OverlayCase> slice;
  for (const bool teacher : {false, true}) {
    layers::Segmenter* network = teacher ? trainer_.teacher() : &trainer_.student();
    if (!network || ids.empty()) continue;
    const auto seen = [&](const Sample& sample, const Tensor& prediction) {
      if (cases == "validation" && network == &trainer_.evaluated() && sample.id == ids.front())
        slice = {screen_colours(sample.image), prediction, sample.label, sample.geometry.spacing, sample.geometry.measured};
    };
    points.push_back(held_out_.validate(*network, ids, trainer_.steps_done(), teacher ? "teacher" : "student", cases, seen));
    if (stop_signal()) return {};
    writer_->validation(points.back());
  }
  if (cases != "validation") return points;
  writer_->look(trainer_.steps_done(), trainer_.student(), slice);
  if (!trainer_.finished()) looks_.look(trainer_, options_.out);
  return points;
}

/// Dice of both networks on the validation cases; then predictions and figures on the test cases; false if a signal came.
bool TrainingSession::finish() {
  const auto& ids = data_.split.test;
  for (const ValidationPoint& p : measure("validation", data_.split.validation))
    say(fmt::format("validation Dice of the {} {:.4f}", p.network, p.dice));
  if (stop_signal()) return false;
  if (ids.empty()) {
    say(fmt::format("no test cases were set aside (data.test = {}){}", options_.settings.data.test,
                    data_.split.validation.empty() ? ", nor any for validation: nothing is evaluated" : ""));
    return true;
  }
  Evaluation evaluation = held_out_.evaluation();
  Progress progress({.label = "evaluate", .total = std::int64_t(ids.size())});
  std::int64_t done = 0;
  const bool whole = held_out_.run(trainer_.evaluated(), ids, [&](const Sample& sample, const Tensor& prediction) {
    writer_->prediction(sample, prediction, data_.dataset);
    require_voxel_size(evaluation, sample.id, sample.geometry.measured);
    add_case(evaluation, sample.id, prediction, sample.label, sample.geometry.spacing);
    progress.update(++done);
  });
  progress.finish();
  if (!whole) return false;
  summarise(evaluation);
  write_evaluation(options_.out / "evaluation.json", evaluation);
  measure("test", ids);
  put(stdout, to_text(evaluation));  // it is in the run, too
  return !stop_signal();
}

int TrainingSession::interrupted() {
  save();
  writer_->summaries();
  writer_->status("interrupted", trainer_.steps_done(), seconds_, "");
  say(fmt::format("stopped at step {}; saved in {}", trainer_.steps_done(), (options_.out / "checkpoints").string()));
  say_next(fmt::format("sagcl-train --resume --out {}", shell_quoted(options_.out.string())));
  return stop_exit_code();
}

/// Everything after the last step, in the first process.
int TrainingSession::conclude() {
  save();
  if (!finish()) return interrupted();
  writer_->summaries();
  writer_->status("finished", trainer_.steps_done(), seconds_, "");
  if (options_.no_report) return exit_ok;
  const std::filesystem::path report = write_report(options_.out);
  say(fmt::format("report   {}", std::filesystem::absolute(report).string()));
  say_next(fmt::format("sagcl-predict --checkpoint {} {} --output MASKS", shell_quoted(options_.out.string()),
                       data_.split.unlabelled.empty() ? "--input IMAGES" : "--part unlabelled"));
  return exit_ok;
}

/// Whether the losses are looked at after this step. To look is to wait for the device; only the CPU has nothing to wait
/// for.
bool TrainingSession::due(std::int64_t step) const {
  const EvaluationSettings& e = options_.settings.evaluation;
  return choice_.device.is_cpu() || trainer_.finished() || step % 10 == 0 || (e.every > 0 && step % e.every == 0) ||
         step % e.checkpoint_every == 0;
}

/// Trains to the end; false if a process was asked to stop.
bool TrainingSession::train() {
  double trained = 0;  // seconds, by this process
  Progress progress({.label = "train", .total = options_.settings.train.steps, .start = trainer_.steps_done()});
  const auto look = [&] {
    for (const StepReport& report : trainer_.reports()) {
      seconds_ += report.seconds, trained += report.seconds;
      if (writer_) log(report, progress);
    }
  };
  for (std::int64_t taken = 0; !trainer_.finished(); ++taken) {
    const bool enough = options_.stop_after > 0 && taken >= options_.stop_after;
    if (engine::any(ranks_, enough || stop_signal())) {
      look();
      return false;
    }
    trainer_.advance();
    if (due(trainer_.steps_done())) look();
  }
  progress.finish();
  const double share = trained > 0 ? trainer_.seconds_waited() / trained : 0;
  if (writer_)
    say(fmt::format("waited   {:.1f} % of the steps' time for batches{}", 100 * share,
                    share > 0.02 ? "; more threads prepare them faster: data.workers" : ""));
  return true;
}

int TrainingSession::run() {
  introduce();
  look_ahead();
  if (options_.dry_run) return dry_run();
  begin();
  int code = exit_ok;
  try {
    const bool whole = train();
    if (writer_) code = whole ? conclude() : interrupted();
  } catch (const engine::NonFiniteError& e) {
    if (writer_) {
      for (const StepReport& report : trainer_.reports()) writer_->train(report);  // those before it
      writer_->status("failed", trainer_.steps_done(), seconds_, e.what());
      try {
        writer_->summaries();
      } catch (const std::exception& other) { say(fmt::format("warning: {}", other.what())); }  // the first error counts
    }
    throw;
  }
  return std::stoi(engine::gather(ranks_, std::to_string(code)).front());  // all wait for the first and end as it does
}

}  // namespace

int train(const TrainOptions& options, engine::Communicator& ranks) { return TrainingSession(options, ranks).run(); }

}  // namespace sagcl::tools
