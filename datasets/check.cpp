#include "datasets/check.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "datasets/affine.h"
#include "datasets/case_remarks.h"
#include "datasets/load.h"
#include "datasets/orientation.h"
#include "datasets/text.h"

namespace sagcl::datasets {

namespace {

constexpr double right_angles = 1e-3;  // cosine between voxel axes that is still rounding

/// Collects what one case after another shows.
class Inspector {
 public:
  Inspector(const Dataset& data, DatasetReport& report, const SeenCase& seen) : data_(data), report_(report), seen_(seen) {
    report_.voxels_per_class.assign(data.classes.size(), 0);
    holders_.resize(data.classes.size());
  }

  /// `learnt`: of the cases for training and validation, not the test's.
  void inspect(const Case& one, bool learnt) {
    try {
      const Image image = load_image(one, data_.channels);
      inspect_image(one, image);
      Label label;
      if (one.has_label()) try {
          label = load_label(one, image, data_.labels, data_.n_classes());
        } catch (const engine::DataError& e) { fatal(one.id, e.what()); }
      const bool has_classes = label.classes.defined();
      remark(one, image, has_classes ? &label : nullptr);
      if (has_classes) count_classes(one, label, learnt);
      if (seen_ && has_classes == one.has_label()) seen_(one, image, label.classes);
    } catch (const engine::DataError& e) { fatal(one.id, e.what()); }
  }

  /// Patients that the data set's own parts share.
  void inspect_parts() {
    const std::pair<const char*, const std::vector<Case>*> parts[] = {
        {"training", &data_.cases}, {"validation", &data_.validation}, {"test", &data_.test}};
    std::map<std::string, std::pair<const char*, std::string>> first;  // patient -> part, case
    for (const auto& [part, cases] : parts)
      for (const Case& one : *cases) {
        const auto& [where, which] = first.emplace(one.patient, std::pair(part, one.id)).first->second;
        if (std::string_view(where) != part)
          fatal(one.id,
                fmt::format(
                    "patient {} is in two parts, {} (case {}) and {} (case {}); move all cases of the patient into one "
                    "part (folder or list)",
                    one.patient, where, which, part, one.id));
      }
  }

  void summarise() {
    if (annotated_ > 0) summarise_classes();
    for (std::size_t a = 0; a < 3; ++a)
      if (report_.coarsest[a] > 2 * report_.finest[a])
        warn("", fmt::format("voxels are between {:.3g} and {:.3g} mm along {}; a plan brings them to one size, other "
                             "settings only by data.spacing",
                             report_.finest[a], report_.coarsest[a], "zyx"[a]));
    if (orientations_.differ()) warn("", orientations_.warning());
  }

 private:
  void fatal(const std::string& id, std::string text) { report_.problems.push_back({true, id, std::move(text)}); }
  void warn(const std::string& id, std::string text) { report_.problems.push_back({false, id, std::move(text)}); }

  void inspect_image(const Case& one, const Image& image) {
    if (image.geometry.placed) inspect_shear(one, image.geometry);
    orientations_.add(one.id, image.geometry);
    if (first_) white_ = image.white, first_file_ = one.images[0].string();
    if (image.white != white_ && !mixed_depths_) {
      mixed_depths_ = true;  // said once
      warn(one.id, fmt::format("{} has {} bits per pixel, {} has {}; save all alike", one.images[0].string(),
                               image.white > 255 ? 16 : 8, first_file_, white_ > 255 ? 16 : 8));
    }
    const Geometry& g = image.geometry;
    for (std::size_t a = 0; a < 3; ++a) {
      const std::int64_t extent = image.voxels.shape()[int(a)];
      report_.smallest[a] = first_ ? extent : std::min(report_.smallest[a], extent);
      report_.largest[a] = first_ ? extent : std::max(report_.largest[a], extent);
      if (!g.measured) continue;
      report_.finest[a] = report_.measured ? std::min(report_.finest[a], g.spacing[a]) : g.spacing[a];
      report_.coarsest[a] = std::max(report_.coarsest[a], g.spacing[a]);
    }
    report_.measured = report_.measured || g.measured;
    first_ = false;
  }

  void inspect_shear(const Case& one, const Geometry& g) {
    if (const double shear = shear_of(g.affine); !(shear < right_angles))
      fatal(
          one.id,
          fmt::format(
              "{}: the affine is sheared: two voxel axes are {:.2f} degrees from a right angle; write straight copies with: "
              "sagcl-data convert DIR --to NEW --fix-affine",
              one.images[0].string(), std::asin(std::min(shear, 1.0)) * 180 / std::acos(-1.0)));
  }

  void remark(const Case& one, const Image& image, const Label* label) {
    for (const std::string& text : remarks_of(one, image, label)) warn(one.id, text);
    if (const std::string text = twins_.add(one.id, digest_of(image)); !text.empty()) warn(one.id, text);
  }

  void count_classes(const Case& one, const Label& label, bool learnt) {
    std::vector<std::int64_t> counts(256, 0);
    for (std::int64_t i = 0; i < label.classes.size(); ++i) ++counts[label.classes.data<std::uint8_t>()[i]];
    for (std::size_t k = 0; k < report_.voxels_per_class.size(); ++k) {
      report_.voxels_per_class[k] += counts[k], annotated_ += counts[k];
      if (learnt && counts[k] > 0) holders_[k][one.patient].push_back(one.id);
    }
    if (learnt) patients_.insert(one.patient);
  }

  /// Classes that are nowhere, and those of which only one part of a split can have any.
  void summarise_classes() {
    for (std::size_t k = 0; k < data_.classes.size(); ++k)
      if (report_.voxels_per_class[k] == 0)
        warn("",
             fmt::format("class {} ({}) occurs in no label; correct the class list or the label map", k, data_.classes[k]));
      else if (holders_[k].empty() && !patients_.empty())
        warn("", fmt::format("class {} ({}) occurs in labels of the test alone, so nothing teaches it; label it in training "
                             "cases",
                             k, data_.classes[k]));
      else if (holders_[k].size() == 1 && patients_.size() > 1)
        warn("", fmt::format("class {} ({}) occurs in one patient alone ({}), so validation or training will lack it; label "
                             "it in more patients, or merge it with another class by a label map",
                             k, data_.classes[k], some_of(holders_[k].begin()->second)));
  }

  const Dataset& data_;
  DatasetReport& report_;
  const SeenCase& seen_;
  TwinImages twins_;
  std::vector<std::map<std::string, std::vector<std::string>>> holders_;  // of each class: patient -> cases
  std::set<std::string> patients_;                                        // with a label that is learnt from
  std::int64_t annotated_ = 0;
  Orientations orientations_;
  bool first_ = true, mixed_depths_ = false;
  double white_ = 255;  // of the first image
  std::string first_file_;
};

}  // namespace

bool DatasetReport::usable() const {
  return std::none_of(problems.begin(), problems.end(), [](const Problem& p) { return p.fatal; });
}

DatasetReport check_dataset(const Dataset& data, const SeenCase& seen) {
  DatasetReport report;
  for (const std::string& text : data.warnings) report.problems.push_back({false, "", text});
  Inspector inspector(data, report, seen);
  for (const std::vector<Case>* part : {&data.cases, &data.validation, &data.test})
    for (const Case& one : *part) {
      inspector.inspect(one, part != &data.test);
      ++(part == &data.test ? report.test : report.cases);
      report.labelled += part != &data.test && one.has_label();
    }
  inspector.inspect_parts();
  inspector.summarise();
  return report;
}

DatasetReport check_folder(const std::filesystem::path& folder, const std::optional<LabelRule>& labels,
                           const SeenCase& seen) {
  std::vector<std::string> complaints;
  DatasetReport report;
  try {
    report = check_dataset(open_dataset(folder, {labels, &complaints}), seen);
    if (complaints.empty() && report.labelled == 0)
      complaints.push_back(fmt::format("{}: holds {} and 0 labels for training, so nothing can be learnt; add labels",
                                       folder.string(), counted(report.cases, "image")));
  } catch (const engine::DataError& e) { complaints.push_back(e.what()); }
  std::vector<Problem> first;
  for (std::string& text : complaints) first.push_back({true, "", std::move(text)});
  report.problems.insert(report.problems.begin(), first.begin(), first.end());
  return report;
}

}  // namespace sagcl::datasets
