#pragma once
#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "semiagcl/evaluation/metrics.h"

namespace sagcl::tools {

using engine::Tensor;
using semiagcl::Agreement;

/// One foreground class of one case. Distances are in the evaluation's unit; those that do not exist (one mask is empty) are
/// NaN, null in JSON.
struct ClassResult {
  Agreement scores;
  std::string status = "ok";  ///< ok, empty_prediction, empty_reference, both_empty
};

struct CaseResult {
  std::string id;
  std::vector<ClassResult> classes;  ///< foreground classes in order
  double foreground_dice() const;    ///< mean over the classes
};

std::string units(const std::string& unit);  ///< "mm", or "voxels" of "voxel"

/// What evaluation.json holds. Means of Dice and Jaccard are over all cases: an empty prediction counts as 0, both masks
/// empty as 1; but a class that no mask of any case holds does not count in the mean of all classes. Means of distances are
/// over the cases that have one (a 0 would reward an empty prediction); the number of empty predictions is always printed
/// beside them.
struct Evaluation {
  std::string unit = "voxel";        ///< of the distances: "voxel" or "mm"
  std::vector<std::string> classes;  ///< names of the foreground classes
  std::vector<CaseResult> cases;
  std::vector<Agreement> mean;  ///< per class
  Agreement foreground_mean;    ///< mean over the classes that occur
  /// (case, class) pairs where the reference has the class and the prediction does not
  std::int64_t empty_predictions = 0;

  bool in_no_mask(std::size_t k) const;  ///< class k (0 is the first of `classes`) is in no mask of any case
  /// Positions of the worst, the median and the best case by foreground Dice; empty if there are no cases.
  std::vector<std::size_t> by_dice() const;  ///< all positions, worst first
};

/// DataError, with the remedy, where distances are in mm and the files of the case do not say how large a voxel is.
void require_voxel_size(const Evaluation& evaluation, const std::string& id, bool measured);

/// Compares class k = 1 .. K of two masks, u8 [D, H, W]; voxels that are datasets::not_annotated in the reference are
/// background in both. `spacing` along D, H, W is used where evaluation.unit is "mm".
/// ShapeError if the extents differ.
void add_case(Evaluation& evaluation, const std::string& id, const Tensor& prediction, const Tensor& reference,
              const std::array<double, 3>& spacing);

/// Dice of the classes 1 .. K of two masks as add_case finds it, without the distances.
std::vector<double> dice_per_class(const Tensor& prediction, const Tensor& reference, std::int64_t classes);

/// Computes the means; call it after the last case.
void summarise(Evaluation& evaluation);

/// A row per case and class, the means, and the number of empty predictions.
std::string to_text(const Evaluation& evaluation);

/// evaluation.json: {"schema_version":1,"unit":…,"classes":[…],"cases":[{"id":…,"classes":[{"dice":…,"jaccard":…,"hd95":…,
/// "asd":…,"assd":…,"status":…}]}],"mean":[…],"foreground_mean":{…},"empty_predictions":n}.
std::string to_json(const Evaluation& evaluation);
void write_evaluation(const std::filesystem::path& file, const Evaluation& evaluation);

/// DataError naming the file and the field that is missing or of the wrong kind.
Evaluation parse_evaluation(const std::string& text, const std::string& name);
Evaluation read_evaluation(const std::filesystem::path& file);

}  // namespace sagcl::tools
