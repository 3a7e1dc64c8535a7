#pragma once
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "semiagcl/training/trainer.h"

namespace sagcl::tools {

/// What a method that has an affinity graph and samples patches made of one batch: small enough to keep many of them.
struct MethodLook {
  std::int64_t step = 0;  ///< steps done before

  /// A of the image below, or of all images if they are joined; empty if there is no graph.
  std::vector<double> affinity;            ///< [nodes, nodes]
  std::size_t nodes = 0;                   ///< the first 64
  double trace_share = 0, norm_share = 0;  ///< tr A / N and ‖A‖* / N
  std::vector<double> singular;            ///< the largest 64, descending

  /// One plane of the image that most patches of foreground classes were chosen from; empty if none are chosen.
  std::string picture;                           ///< PNG in base64, with the outlines of the class map C
  std::int64_t height = 0, width = 0;            ///< of the picture
  std::int64_t rows = 0, columns = 0;            ///< of patches
  std::vector<std::vector<double>> scores;       ///< [classes][patches]: what ranks them (Eq. 1)
  std::vector<std::vector<std::int64_t>> picks;  ///< [classes]: patches that count for the class
};

/// The looks of a training. Nothing changes (Trainer::watch).
class MethodLooks {
 public:
  /// What the step that comes next shows of this, into the run folder. It costs a forward and a backward, so a phase that
  /// showed nothing is not asked again. A look that fails is told, and the training goes on.
  void look(semiagcl::Trainer& trainer, const std::filesystem::path& run);

 private:
  std::set<std::size_t> silent_;  // phases
};

/// A look at values that were shown by the names "A", "X", "C", "score", "picks", "counted".
std::optional<MethodLook> method_look(const semiagcl::TensorWatch& shown, std::int64_t step, const semiagcl::Method& method);

// In a run folder: looks/step-0000600.json.

void write_look(const std::filesystem::path& run, const MethodLook& look);
/// In order of steps. DataError names the file that is no look.
std::vector<MethodLook> read_looks(const std::filesystem::path& run);
/// Removes those behind `step`.
void forget_looks(const std::filesystem::path& run, std::int64_t step);

}  // namespace sagcl::tools
