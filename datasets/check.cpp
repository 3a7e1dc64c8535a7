#include "datasets/check.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "datasets/affine.h"
#include "datasets/load.h"
#include "datasets/orientation.h"
#include "datasets/sha256.h"

namespace sagcl::datasets {

namespace {

constexpr double right_angles = 1e-3;  // cosine between voxel axes that is still rounding

std::string_view bytes_of(const Tensor& t) { return {static_cast<const char*>(t.bytes_begin()), t.bytes()}; }

/// Collects what one case after another shows.
class Inspector {
 public:
  Inspector(const Dataset& data, DatasetReport& report, const SeenCase& seen) : data_(data), report_(report), seen_(seen) {
    report_.voxels_per_class.assign(data.classes.size(), 0);
  }

  void inspect(const Case& one) {
    try {
      const Image image = load_image(one, data_.channels);
      inspect_image(one, image);
      Label label;
      if (one.has_label()) {
        label = load_label(one, image, data_.labels, data_.n_classes());
        inspect_label(one, label);
      }
      if (seen_) seen_(one, image, label.classes);
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
    for (std::size_t c = 0; c < data_.classes.size(); ++c)
      if (report_.voxels_per_class[c] == 0)
        warn("",
             fmt::format("class {} ({}) occurs in no label; correct the class list or the label map", c, data_.classes[c]));
    for (std::size_t a = 0; a < 3; ++a)
      if (report_.coarsest[a] > 2 * report_.finest[a])
        warn("", fmt::format("voxels are between {:.3g} and {:.3g} mm along {}; resample the cases to one size",
                             report_.finest[a], report_.coarsest[a], "zyx"[a]));
    if (orientations_.differ()) warn("", orientations_.warning());
  }

 private:
  void fatal(const std::string& id, std::string text) { report_.problems.push_back({true, id, std::move(text)}); }
  void warn(const std::string& id, std::string text) { report_.problems.push_back({false, id, std::move(text)}); }

  void inspect_image(const Case& one, const Image& image) {
    const auto [low, high] =
        std::minmax_element(image.voxels.data<float>(), image.voxels.data<float>() + image.voxels.size());
    if (*low == *high) warn(one.id, fmt::format("{}: every voxel is {}; leave the case out", one.images[0].string(), *low));
    const auto [twin, fresh] = images_.emplace(sha256(bytes_of(image.voxels)), one.id);
    if (!fresh) warn(one.id, fmt::format("has the same image as {}; remove one of them", twin->second));
    for (const std::string& text : image.remarks) warn(one.id, text);
    if (image.geometry.placed) inspect_shear(one, image.geometry);
    orientations_.add(one.id, image.geometry);
    if (first_) white_ = image.white, first_file_ = one.images[0].string();
    if (image.white != white_ && !mixed_depths_) {
      mixed_depths_ = true;  // said once
      warn(one.id, fmt::format("{} has {} bits per pixel, {} has {}; save all alike", one.images[0].string(),
                               image.white > 255 ? 16 : 8, first_file_, white_ > 255 ? 16 : 8));
    }
    for (std::size_t a = 0; a < 3; ++a) {
      const std::int64_t extent = image.voxels.shape()[int(a)];
      const double spacing = image.geometry.spacing[a];
      report_.smallest[a] = first_ ? extent : std::min(report_.smallest[a], extent);
      report_.largest[a] = first_ ? extent : std::max(report_.largest[a], extent);
      report_.finest[a] = first_ ? spacing : std::min(report_.finest[a], spacing);
      report_.coarsest[a] = first_ ? spacing : std::max(report_.coarsest[a], spacing);
    }
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

  void inspect_label(const Case& one, const Label& label) {
    for (const std::string& text : label.remarks) warn(one.id, text);
    std::vector<std::int64_t> counts(256, 0);
    for (std::int64_t i = 0; i < label.classes.size(); ++i) ++counts[label.classes.data<std::uint8_t>()[i]];
    for (std::size_t k = 0; k < report_.voxels_per_class.size(); ++k) report_.voxels_per_class[k] += counts[k];
    if (counts[not_annotated] == label.classes.size())
      warn(one.id, fmt::format("{}: no voxel is annotated, so nothing is learnt from the label", one.label.string()));
    else if (counts[0] + counts[not_annotated] == label.classes.size())
      warn(one.id, fmt::format("{}: the label is all background; check that it belongs to this case", one.label.string()));
  }

  const Dataset& data_;
  DatasetReport& report_;
  const SeenCase& seen_;
  std::map<std::string, std::string> images_;  // hash -> case
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
      inspector.inspect(one);
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
  } catch (const engine::DataError& e) { complaints.push_back(e.what()); }
  for (std::string& text : complaints) report.problems.insert(report.problems.begin(), {true, "", std::move(text)});
  return report;
}

}  // namespace sagcl::datasets
