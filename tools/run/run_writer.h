#pragma once
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "datasets/store.h"
#include "engine/devices/device_choice.h"
#include "semiagcl/training/trainer.h"
#include "tools/report/overlay.h"
#include "tools/run/event_file.h"
#include "tools/run/run_folder.h"

namespace sagcl::tools {

/// Writes the run folder described in run_folder.h. Everything but metrics.jsonl is replaced atomically; metrics.jsonl grows
/// by whole lines: whenever the process is killed, the run can go on. Failures are DataError or IoError naming the file.
class RunWriter {
 public:
  /// Creates the folder and removes what a killed process left there half written. The caller holds its RunLock.
  /// `parameters`: how many are trained; `watch_npy`: debug.watch_npy.
  RunWriter(const std::filesystem::path& folder, std::int64_t parameters, bool watch_npy);

  /// The files of a new run; config.toml, which makes the folder a run, last. Steps that were recorded before are forgotten.
  void start(const std::string& config, const std::string& command, const engine::DeviceChoice& device);

  /// Forgets what metrics.jsonl holds beyond a checkpoint (kept_metrics); what follows is written again.
  void go_on(std::int64_t attempt, std::int64_t step);

  void config(const std::string& config);  ///< config.toml
  void note(std::int64_t step, const std::string& text);
  void train(const semiagcl::StepReport& report);
  void validation(const ValidationPoint& point);

  /// What only TensorBoard shows: how the weights of a network are distributed, and a case of overlay.h.
  void look(std::int64_t step, layers::Module& network, const std::optional<OverlayCase>& slice);

  /// What people look at meanwhile: metrics.csv and progress.png, made of metrics.jsonl.
  void summaries() const;

  /// checkpoints/step-0000600.safetensors; keeps it and the one before. Later ones are of a warm-up that was started again,
  /// or unreadable, and go too.
  void checkpoint(std::int64_t step, const engine::TensorFile& content);
  static constexpr std::int64_t checkpoints_kept = 2;

  /// predictions/<id>.nii.gz with the geometry of the image, or <id>.png for an image that has none. Returns the file.
  std::filesystem::path prediction(const datasets::Sample& sample, const engine::Tensor& mask,
                                   const datasets::Dataset& dataset);

  /// status.json: state running, interrupted, finished or failed with a reason; peak memory of the process; parameters.
  void status(const std::string& state, std::int64_t step, double seconds, const std::string& reason);

 private:
  void metrics(const std::string& text, std::int64_t step);
  void line(const std::string& text);
  std::filesystem::path folder_;
  std::int64_t parameters_;
  bool watch_npy_;
  std::ofstream metrics_;
  EventFile events_;
};

}  // namespace sagcl::tools
