#include "tools/training_run.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <nlohmann/json.hpp>

#include "datasets/nifti.h"
#include "datasets/png.h"
#include "engine/parallel.h"
#include "semiagcl/inference.h"
#include "tools/config.h"
#include "tools/processes.h"
#include "tools/program.h"
#include "tools/progress.h"
#include "tools/report.h"
#include "tools/run_data.h"
#include "tools/run_writer.h"
#include "tools/signals.h"

namespace sagcl::tools {

using datasets::Sample;
using engine::Tensor;
using semiagcl::RunSettings;
using semiagcl::EvaluationSettings;
using semiagcl::StepReport;
using semiagcl::Trainer;

namespace {

/// Predicts cases one by one; stops early when a signal asks for it.
class CaseLoop {
 public:
  CaseLoop(const RunData& data, const RunSettings& settings, engine::Device device) : data_(data), settings_(settings), device_(device) {}

  /// Calls f(sample, prediction) for each case; false if a signal came.
  template <class F>
  bool run(layers::Segmenter& network, const std::vector<std::string>& ids, F&& f) const {
    for (const std::string& id : ids) {
      if (stop_signal()) return false;
      const Sample sample =
          datasets::load_samples(data_.dataset, {id}, datasets::normalisation_named(settings_.data.normalise), true).front();
      Tensor prediction = semiagcl::predict(network, sample.image, settings_, device_);
      if (settings_.evaluation.largest_component) prediction = semiagcl::largest_components(prediction, data_.training.classes);
      f(sample, prediction);
    }
    return true;
  }

 private:
  const RunData& data_;
  const RunSettings& settings_;
  engine::Device device_;
};

/// Mean foreground Dice and Dice per class; both masks empty count 1.
ValidationPoint validate(const CaseLoop& loop, layers::Segmenter& network, const std::vector<std::string>& ids, std::int64_t classes,
                         std::int64_t step, const std::string& name) {
  ValidationPoint point{step, name, 0, std::vector<double>(std::size_t(classes - 1), 0.0)};
  std::int64_t n = 0;
  loop.run(network, ids, [&](const Sample& sample, const Tensor& prediction) {
    ++n;
    for (std::int64_t k = 1; k < classes; ++k) {
      std::int64_t both = 0, sum = 0;
      for (std::int64_t v = 0; v < prediction.size(); ++v) {
        const bool a = prediction.data<std::uint8_t>()[v] == k, b = sample.label.data<std::uint8_t>()[v] == k;
        both += a && b, sum += a + b;
      }
      point.per_class[std::size_t(k - 1)] += sum ? 2.0 * double(both) / double(sum) : 1.0;
    }
  });
  for (double& d : point.per_class) d /= double(std::max<std::int64_t>(n, 1)), point.dice += d / double(classes - 1);
  return point;
}

class Session {
 public:
  Session(const TrainOptions& options, engine::Communicator& ranks)
      : options_(options), ranks_(ranks),
        choice_(device_of_process(options.device, options.settings.train.precision, ranks)),
        gpus_(engine::connect_devices(ranks, choice_.device)),
        data_(load_run_data(options.settings, options.resume || options.split.empty() ? options.out / "split.json"
                                                                                   : options.split)),
        trainer_(options_.settings, data_.training, choice_.device, gpus_ ? *gpus_ : ranks),
        loop_(data_, options_.settings, choice_.device) {
    if (!options.resume && !options.settings.train.weights.empty()) trainer_.start_from(options.settings.train.weights);
  }

  int run();

 private:
  void introduce() const;
  int dry_run();
  void begin();
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
  RunData data_;
  Trainer trainer_;
  CaseLoop loop_;
  std::unique_ptr<RunWriter> writer_;  // of the first process alone
  double seconds_ = 0;
};

void Session::introduce() const {
  const auto& s = options_.settings;
  say(fmt::format("data     {}: {} labelled, {} unlabelled, {} validation, {} test cases; classes {}", data_.dataset.name,
                  data_.split.labelled.size(), data_.split.unlabelled.size(), data_.split.validation.size(), data_.split.test.size(),
                  fmt::join(data_.dataset.classes, ", ")));
  const std::int64_t count = layers::count_parameters(const_cast<Trainer&>(trainer_).student());
  say(fmt::format("network  {} of width {}: {} parameters; patch {}, batch {}", s.network.name, s.network.width, count,
                  fmt::join(s.train.patch, "x"), s.train.batch));
  say(fmt::format("method   {}: {} steps ({} supervised warm-up), {} at {}, seed {}", s.train.method, s.train.steps, trainer_.warmup_steps(),
                  s.train.optimizer, s.train.learning_rate, s.train.seed));
  if (!s.train.weights.empty()) say("weights  " + s.train.weights);
  say(fmt::format("device   {}, {} threads", choice_.text, engine::threads()));
  if (s.train.shards > 1)
    say(fmt::format("shards   {} of {} samples, {} processes", s.train.shards, s.train.batch / s.train.shards, ranks_.size()));
}

/// One real step, nothing written.
int Session::dry_run() {
  double first = 0;
  for (int i = 0; i < 2 && !trainer_.finished(); ++i) trainer_.advance(), first = trainer_.reports().back().seconds;
  const auto memory = engine::allocator(choice_.device).statistics();
  say(fmt::format("dry run: about {:.2f} s per step, {} for all {} steps; {:.0f} MiB at the peak; nothing was written", first,
                  duration_text(first * double(options_.settings.train.steps)), options_.settings.train.steps, double(memory.peak) / (1 << 20)));
  return exit_ok;
}

/// A new run folder, or the state of an old one.
void Session::begin() {
  if (options_.resume) {
    const Checkpoint checkpoint = newest_checkpoint(options_.out);
    trainer_.restore(checkpoint.content, checkpoint.file.string());
    say(fmt::format("resumed  {} at step {}", checkpoint.file.string(), trainer_.steps_done()));
  }
  engine::any(ranks_, false);  // all have read the folder before the first process changes it
  if (ranks_.rank() > 0) return;
  writer_ = std::make_unique<RunWriter>(options_.out);
  if (options_.resume) {
    writer_->forget_after(trainer_.steps_done());
    seconds_ = writer_->seconds_so_far();
    return;
  }
  writer_->start(to_toml(options_.settings), options_.command, choice_);
  datasets::write_split(options_.out / "split.json", data_.dataset, data_.split);
}

void Session::save() {
  engine::TensorFile content = trainer_.checkpoint();
  content.notes["config"] = to_toml(options_.settings);
  content.notes["classes"] = nlohmann::json(data_.dataset.classes).dump();
  content.notes["channels"] = std::to_string(data_.training.channels);
  writer_->checkpoint(trainer_.steps_done(), content);
  writer_->status("running", trainer_.steps_done(), seconds_, "");
}

void Session::log(const StepReport& report, Progress& progress) {
  writer_->train(report);
  std::string detail = fmt::format("loss {:.4f}", report.loss);
  for (const auto& [name, value] : report.terms) detail += fmt::format("  {} {:.4f}", name, value);
  progress.update(report.step, detail);
  if (report.restarted)
    return progress.message("the warm-up left a class that is never predicted: it starts again with other weights");
  const auto& s = options_.settings;
  if (s.evaluation.every > 0 && report.step % s.evaluation.every == 0 && !trainer_.finished())
    for (const ValidationPoint& p : measure("validation", data_.split.validation))
      progress.message(fmt::format("step {}: validation Dice of the {} {:.4f}", report.step, p.network, p.dice));
  if (report.step % s.evaluation.checkpoint_every == 0 && !trainer_.finished()) save();
}

/// Dice of student and teacher on some cases, written into the run; nothing if a signal came or there are none.
std::vector<ValidationPoint> Session::measure(const std::string& cases, const std::vector<std::string>& ids) {
  std::vector<ValidationPoint> points;
  for (const bool teacher : {false, true}) {
    layers::Segmenter* network = teacher ? trainer_.teacher() : &trainer_.student();
    if (!network || ids.empty()) continue;
    points.push_back(validate(loop_, *network, ids, data_.training.classes, trainer_.steps_done(), teacher ? "teacher" : "student"));
    points.back().cases = cases;
    if (stop_signal()) return {};
    writer_->validation(points.back());
  }
  return points;
}

/// Predictions and figures on the test cases, and Dice of both networks on them and on validation cases; false if a signal
/// came.
bool Session::finish() {
  const auto& ids = data_.split.test;
  if (ids.empty()) {
    say("no test cases were set aside (data.test = 0), so nothing is evaluated");
    return true;
  }
  const auto& s = options_.settings;
  Evaluation evaluation;
  evaluation.unit = s.evaluation.millimetres ? "mm" : "voxel";
  evaluation.classes.assign(data_.dataset.classes.begin() + 1, data_.dataset.classes.end());
  Progress progress({.label = "evaluate", .total = std::int64_t(ids.size())});
  std::int64_t done = 0;
  const bool whole = loop_.run(trainer_.evaluated(), ids, [&](const Sample& sample, const Tensor& prediction) {
    writer_->prediction(sample, prediction, data_.dataset);
    add_case(evaluation, sample.id, prediction, sample.label, sample.geometry.spacing);
    progress.update(++done);
  });
  progress.finish();
  if (!whole) return false;
  summarise(evaluation);
  write_evaluation(options_.out / "evaluation.json", evaluation);
  measure("validation", data_.split.validation);
  measure("test", ids);
  fmt::print("{}", to_text(evaluation));
  std::fflush(stdout);
  return !stop_signal();
}

int Session::interrupted() {
  save();
  writer_->status("interrupted", trainer_.steps_done(), seconds_, "");
  say(fmt::format("stopped at step {}; saved in {}", trainer_.steps_done(), (options_.out / "checkpoints").string()));
  say_next(fmt::format("sagcl-train --resume --out {}", shell_quoted(options_.out.string())));
  return stop_signal() == SIGTERM ? exit_terminated : exit_interrupted;
}

/// Everything after the last step, in the first process.
int Session::conclude() {
  save();
  if (!finish()) return interrupted();
  writer_->status("finished", trainer_.steps_done(), seconds_, "");
  if (options_.no_report) return exit_ok;
  const std::filesystem::path report = write_report(options_.out);
  say(fmt::format("report   {}", std::filesystem::absolute(report).string()));
  return exit_ok;
}

/// Whether the losses are looked at after this step. To look is to wait for the device; only the CPU has nothing to wait for.
bool Session::due(std::int64_t step) const {
  const EvaluationSettings& e = options_.settings.evaluation;
  return choice_.device.is_cpu() || trainer_.finished() || step % 10 == 0 || (e.every > 0 && step % e.every == 0) ||
         step % e.checkpoint_every == 0;
}

/// Trains to the end; false if a process was asked to stop.
bool Session::train() {
  const std::int64_t first = trainer_.steps_done();
  Progress progress({.label = "train", .total = options_.settings.train.steps, .start = first});
  const auto look = [&] {
    for (const StepReport& report : trainer_.reports()) {
      seconds_ += report.seconds;
      if (writer_) log(report, progress);
    }
  };
  while (!trainer_.finished()) {
    const bool enough = options_.stop_after > 0 && trainer_.steps_done() - first >= options_.stop_after;
    if (engine::any(ranks_, enough || stop_signal())) {
      look();
      return false;
    }
    trainer_.advance();
    if (due(trainer_.steps_done())) look();
  }
  return true;
}

int Session::run() {
  introduce();
  if (options_.dry_run) return dry_run();
  begin();
  catch_signals();
  int code = exit_ok;
  try {
    const bool whole = train();
    if (writer_) code = whole ? conclude() : interrupted();
  } catch (const engine::NonFiniteError& e) {
    if (writer_) {
      for (const StepReport& report : trainer_.reports()) writer_->train(report);  // those before it
      writer_->status("failed", trainer_.steps_done(), seconds_, e.what());
    }
    throw;
  }
  return std::stoi(engine::gather(ranks_, std::to_string(code)).front());  // all wait for the first and end as it does
}

}  // namespace

int train(const TrainOptions& options, engine::Communicator& ranks) { return Session(options, ranks).run(); }

}  // namespace sagcl::tools
