#include "datasets/convert.h"

#include <algorithm>

#include "datasets/affine.h"
#include "datasets/formats/json_file.inl"
#include "datasets/formats/nifti.h"
#include "datasets/layouts/patient_names.h"
#include "datasets/load.h"
#include "datasets/orientation.h"
#include "engine/files/atomic_file.h"

namespace sagcl::datasets {

using engine::require;
using std::filesystem::path;

namespace {

Tensor channel_of(const Tensor& voxels, std::int64_t channel) {
  const auto& s = voxels.shape();
  Tensor out = Tensor::empty({s[0], s[1], s[2]});
  for (std::int64_t i = 0; i < out.size(); ++i) out.data<float>()[i] = voxels.data<float>()[i * s[3] + channel];
  return out;
}

void write_case(const Case& one, const Dataset& data, const path& images, const path& labels, const ConvertOptions& options,
                const ConvertedCase& done) {
  const bool turn = !options.orientation.empty();
  Image image = load_image(one, data.channels, options.replace_nan, Reader::data_set, turn);
  Tensor classes;
  std::string changes;
  if (one.has_label()) {
    const Label label = load_label(one, image, data.labels, data.n_classes(), turn);
    classes = label.classes;
    changes = fmt::format("{}", fmt::join(label.remarks, "; "));
    std::replace(classes.data<std::uint8_t>(), classes.data<std::uint8_t>() + classes.size(), not_annotated,
                 std::uint8_t(data.n_classes()));
  }
  Geometry& g = image.geometry;
  if (options.fix_affine && g.placed && shear_of(g.affine) > 1e-6) {
    const Affine straight = without_shear(g.affine, image.voxels.shape());
    changes += fmt::format("{}axes turned to right angles, corners moved by up to {:.3g} mm", changes.empty() ? "" : "; ",
                           corner_distance(g.affine, straight, image.voxels.shape()));
    g.affine = straight;
    g.nifti_header.clear();
  }
  if (!options.orientation.empty() && g.placed && orientation_of(g.affine) != options.orientation) {
    changes +=
        fmt::format("{}turned from {} to {}", changes.empty() ? "" : "; ", orientation_of(g.affine), options.orientation);
    if (classes.defined()) {
      Geometry of_label = g;
      classes = reoriented(classes, of_label, options.orientation);
    }
    image.voxels = reoriented(image.voxels, g, options.orientation);
  }
  // the header contradicts itself: the place that was taken is written
  if (!image.remarks.empty() && !g.nifti_header.empty()) {
    changes += fmt::format("{}header written anew: {}", changes.empty() ? "" : "; ", fmt::join(image.remarks, "; "));
    g.nifti_header.clear();
  }
  for (std::int64_t c = 0; c < data.channels; ++c)
    write_nifti(images / fmt::format("{}_{:04}.nii.gz", one.id, c), channel_of(image.voxels, c), g);
  if (one.has_label()) write_nifti(labels / (one.id + ".nii.gz"), classes, g);
  if (done) done(one, changes);
}

/// nnU-Net tells classes apart by name: an empty name, one that another class has, or "ignore" gets the number.
std::string fresh_name(const std::string& name, std::size_t k, const Json& taken) {
  if (!name.empty() && name != "ignore" && !taken.contains(name)) return name;
  return fmt::format("{}{}{}", name.empty() ? "class" : name, " ", k);
}

Json notes_of(const Dataset& data) {
  Json channels = Json::object(), labels = Json::object(), patients = Json::object(), validation = Json::array();
  for (std::int64_t c = 0; c < data.channels; ++c)
    channels[std::to_string(c)] = data.channel_names.empty() || data.channel_names[std::size_t(c)].empty()
                                      ? fmt::format("channel {}", c)
                                      : data.channel_names[std::size_t(c)];
  for (std::size_t k = 0; k < data.classes.size(); ++k) labels[fresh_name(data.classes[k], k, labels)] = k;
  if (data.labels.ignored) labels["ignore"] = data.classes.size();
  for (const std::vector<Case>* part : {&data.cases, &data.validation, &data.test})
    for (const Case& one : *part)
      if (one.patient != one.id || !bids_subject(one.id).empty()) patients[one.id] = one.patient;
  for (const Case& one : data.validation) validation.push_back(one.id);
  const auto labelled = [](const std::vector<Case>& cases) {
    return std::count_if(cases.begin(), cases.end(), [](const Case& one) { return one.has_label(); });
  };
  return {{"name", data.name},        {"channel_names", channels},
          {"labels", labels},         {"numTraining", labelled(data.cases) + labelled(data.validation)},
          {"file_ending", ".nii.gz"}, {"patients", patients},
          {"validation", validation}};
}

}  // namespace

void convert_dataset(const Dataset& data, const path& out, const ConvertOptions& options, const ConvertedCase& done) {
  std::error_code error;
  require<engine::UsageError>(!std::filesystem::exists(out, error) || std::filesystem::is_empty(out, error),
                              "{}: holds something already; choose a new folder", out.string());
  for (const char* name : {"imagesTr", "labelsTr", "imagesUn", "imagesTs", "labelsTs"}) {
    std::filesystem::create_directories(out / name, error);
    require<engine::IoError>(!error, "{}: the folder cannot be made: {}", (out / name).string(), error.message());
  }
  for (const std::vector<Case>* part : {&data.cases, &data.validation})
    for (const Case& one : *part)
      write_case(one, data, out / (one.has_label() ? "imagesTr" : "imagesUn"), out / "labelsTr", options, done);
  for (const Case& one : data.test) write_case(one, data, out / "imagesTs", out / "labelsTs", options, done);
  engine::write_file_atomically(out / "dataset.json", notes_of(data).dump(1) + "\n");
}

}  // namespace sagcl::datasets
