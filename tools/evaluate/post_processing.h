#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace sagcl::tools {

using engine::Tensor;

/// What is done to a class of a finished mask. Voxels that go become background.
struct ComponentRule {
  bool largest = false;       ///< its largest connected component alone stays (26 neighbours)
  std::int64_t smallest = 0;  ///< components of fewer voxels go
  bool operator==(const ComponentRule&) const = default;
  std::string text() const;
};

/// A rule for every foreground class.
struct PostProcessing {
  std::vector<std::string> classes;  ///< names
  std::vector<ComponentRule> rules;
  /// u8 [D, H, W], in place if nobody else holds it.
  Tensor apply(Tensor mask) const;
};

/// Chooses, class by class, the rule with the highest mean Dice over cases: none, the largest component, or no component
/// of fewer than 10, 30, 100, … 10000 voxels. A rule must gain 0.001 to be better than none.
class PostProcessingChoice {
 public:
  explicit PostProcessingChoice(std::vector<std::string> classes);
  /// Two masks of a case, u8 [D, H, W]; voxels that nobody annotated in the reference do not count.
  void add(const Tensor& prediction, const Tensor& reference);
  PostProcessing best() const;
  /// A line per class: the rule, and the Dice without it and with it.
  std::string text() const;
  /// {"schema_version":1,"classes":[…],"rules":[{"largest":…,"smallest":…}],"cases":n,"dice_before":[…],"dice_after":[…]}
  void write(const std::filesystem::path& file) const;

 private:
  std::size_t chosen(std::size_t k) const;  // number of the rule
  double dice(std::size_t k, std::size_t rule) const { return sums_[k][rule] / double(cases_); }

  std::vector<std::string> classes_;
  std::vector<std::vector<double>> sums_;  // of Dice, by class and rule
  std::int64_t cases_ = 0;
};

/// DataError that names the file where it is none that PostProcessingChoice wrote.
PostProcessing read_post_processing(const std::filesystem::path& file);

}  // namespace sagcl::tools
