#include "datasets/check.h"

#include <algorithm>
#include <map>

#include "datasets/load.h"
#include "datasets/sha256.h"

namespace sagcl::datasets {

namespace {

std::string_view bytes_of(const Tensor& t) { return {static_cast<const char*>(t.bytes_begin()), t.bytes()}; }

/// Collects what one case after another shows.
class Inspector {
 public:
  Inspector(const Dataset& data, DatasetReport& report) : data_(data), report_(report) {
    report_.voxels_per_class.assign(data.classes.size(), 0);
  }

  void inspect(const Case& one) {
    try {
      const Image image = load_image(one, data_.channels);
      inspect_image(one, image);
      if (one.has_label()) inspect_label(one, load_label(one, image, data_.labels, data_.n_classes()).classes);
    } catch (const engine::Error& e) { report_.problems.push_back({true, one.id, e.what()}); }
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
  }

 private:
  void warn(const std::string& id, std::string text) { report_.problems.push_back({false, id, std::move(text)}); }

  void inspect_image(const Case& one, const Image& image) {
    const auto [low, high] =
        std::minmax_element(image.voxels.data<float>(), image.voxels.data<float>() + image.voxels.size());
    if (*low == *high) warn(one.id, fmt::format("{}: every voxel is {}; leave the case out", one.images[0].string(), *low));
    const auto [twin, fresh] = images_.emplace(sha256(bytes_of(image.voxels)), one.id);
    if (!fresh) warn(one.id, fmt::format("has the same image as {}; remove one of them", twin->second));
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

  void inspect_label(const Case& one, const Tensor& classes) {
    const std::uint8_t* p = classes.data<std::uint8_t>();
    bool empty = true;
    for (std::int64_t i = 0; i < classes.size(); ++i) {
      ++report_.voxels_per_class[p[i]];
      empty = empty && p[i] == 0;
    }
    if (empty)
      warn(one.id, fmt::format("{}: the label is all background; check that it belongs to this case", one.label.string()));
  }

  const Dataset& data_;
  DatasetReport& report_;
  std::map<std::string, std::string> images_;  // hash -> case
  bool first_ = true;
};

}  // namespace

bool DatasetReport::usable() const {
  return std::none_of(problems.begin(), problems.end(), [](const Problem& p) { return p.fatal; });
}

DatasetReport check_dataset(const Dataset& data) {
  DatasetReport report;
  Inspector inspector(data, report);
  for (const Case& one : data.cases) {
    inspector.inspect(one);
    ++report.cases;
    report.labelled += one.has_label();
  }
  for (const Case& one : data.test) {
    inspector.inspect(one);
    ++report.test;
  }
  inspector.summarise();
  return report;
}

}  // namespace sagcl::datasets
