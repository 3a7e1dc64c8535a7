#pragma once
#include <filesystem>
#include <fstream>
#include <string>

#include "datasets/store.h"
#include "engine/plugin.h"
#include "semiagcl/trainer.h"
#include "tools/run_folder.h"

namespace sagcl::tools {

/// Writes the run folder described in run_folder.h. Everything but metrics.jsonl is replaced atomically; metrics.jsonl grows
/// by whole lines. Failures are DataError or IoError naming the file.
class RunWriter {
 public:
  explicit RunWriter(const std::filesystem::path& folder);  ///< creates the folder

  void start(const std::string& config, const std::string& command, const engine::DeviceChoice& device);
  void train(const semiagcl::StepReport& report);
  void validation(const ValidationPoint& point);

  /// checkpoints/step-0000600.safetensors; keeps the two newest.
  void checkpoint(std::int64_t step, const engine::TensorFile& content);

  /// predictions/<id>.nii.gz with the geometry of the image, or <id>.png for an image that has none.
  void prediction(const datasets::Sample& sample, const engine::Tensor& mask, const datasets::Dataset& dataset);

  /// status.json: state running, interrupted, finished or failed with a reason; peak memory of the process.
  void status(const std::string& state, std::int64_t step, double seconds, const std::string& reason);

  /// Drops lines of metrics.jsonl beyond `step`: a resumed run writes them again.
  void forget_after(std::int64_t step);
  double seconds_so_far() const;  ///< of training, as status.json says; 0 without one

 private:
  void line(const std::string& text);
  std::filesystem::path folder_;
  std::ofstream metrics_;
};

}  // namespace sagcl::tools
