#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace sagcl::tools {

/// The Dice that a prediction may expect if its probabilities are right: of class k over the voxels i, with `mask` those
/// that it gives the class,
///   D_k = (2 Σ_{i in mask} p_ik + 1) / (|mask| + Σ_i p_ik + 1).
/// Numerator and denominator are the expected values of those of the Dice between the mask and a truth drawn from p; the 1
/// is one voxel of agreement, so that a class that is nowhere and that nobody expects counts as found.
class ExpectedDice {
 public:
  explicit ExpectedDice(std::int64_t classes);
  /// The next planes of the prediction, f32 [n, H, W, C]; a voxel's largest probability, the first of equals, is its class.
  void add(const engine::Tensor& planes);
  std::vector<double> per_class() const;  ///< of the foreground classes

 private:
  std::vector<double> in_mask_, everywhere_;  // sums of p
  std::vector<std::int64_t> mask_;            // voxels
};

struct CaseConfidence {
  std::string id, patient;
  std::vector<double> dice;  ///< expected, per foreground class
  double mean() const;
};

/// How sure a network was of its masks: confidence.json beside them,
/// {"schema_version":1,"classes":[names],"cases":[{"id":…,"patient":…,"expected_dice":…,"per_class":[…]}]}, the least sure
/// patient first.
class ConfidenceFile {
 public:
  /// `classes` are the foreground's names.
  ConfidenceFile(std::filesystem::path file, std::vector<std::string> classes);
  /// What an earlier call wrote. DataError where the file is none of these or has other classes.
  void read();
  bool has(const std::string& id) const;
  void set(CaseConfidence confidence);  ///< instead of the case's former one
  void write() const;                   ///< atomically

  struct Patient {
    std::string id;
    std::int64_t cases = 0;
    double dice = 0;  ///< mean over the cases
  };
  std::vector<Patient> least_sure_first() const;

 private:
  std::filesystem::path file_;
  std::vector<std::string> classes_;
  std::vector<CaseConfidence> cases_;
};

}  // namespace sagcl::tools
