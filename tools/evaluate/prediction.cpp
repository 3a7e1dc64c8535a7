#include "tools/evaluate/prediction.h"

#include <algorithm>

#include "datasets/formats/formats.h"
#include "datasets/formats/nifti.h"
#include "datasets/formats/plane_file.h"
#include "datasets/formats/png.h"
#include "datasets/load.h"
#include "datasets/orientation.h"
#include "semiagcl/evaluation/inference.h"
#include "semiagcl/evaluation/mirrors.h"
#include "semiagcl/settings/axes.h"
#include "tools/evaluate/class_colours.h"
#include "tools/evaluate/confidence.h"
#include "tools/programs/program.h"

namespace sagcl::tools {

namespace fs = std::filesystem;
using engine::DataError;
using engine::require;

namespace {

constexpr std::size_t longest_name = 255;  // bytes of a file's name

/// Whether the mask of a case is one of a plane, for PNG; both where only reading tells.
std::vector<bool> may_be_plane(const datasets::Case& one) {
  if (datasets::is_array(one.images[0])) return {true, false};
  return {datasets::is_png(one.images[0])};
}

void write_mask(const fs::path& file, const engine::Tensor& mask, const datasets::Geometry& geometry, bool plane) {
  if (!plane) return datasets::write_nifti(file, mask, geometry);
  std::vector<datasets::Colour> palette;
  while (palette.size() < 256) palette.push_back(class_colour(palette.size()));
  datasets::write_png(file, mask.reshape({mask.shape()[1], mask.shape()[2]}), palette);
}

}  // namespace

fs::path ResultFiles::mask(const std::string& id, bool plane) const { return folder / (id + (plane ? ".png" : ".nii.gz")); }

fs::path ResultFiles::probabilities_file(const std::string& id, bool plane) const {
  return folder / "probabilities" / (id + (plane ? ".npy" : ".nii"));
}

std::vector<fs::path> ResultFiles::existing(const datasets::Case& one) const {
  std::vector<fs::path> there;
  for (const bool plane : may_be_plane(one)) {
    std::vector<fs::path> files = {mask(one.id, plane)};
    if (probabilities) files.push_back(probabilities_file(one.id, plane));
    for (const fs::path& file : files) {
      const std::size_t bytes = file.filename().string().size();
      require<DataError>(bytes <= longest_name,
                         "{}: the mask's name would have {} bytes, a file's name has at most {}; shorten the "
                         "image's name",
                         one.images[0].string(), bytes, longest_name);
      if (fs::exists(file)) there.push_back(file);
    }
  }
  return there;
}

bool ResultFiles::finished(const datasets::Case& one, bool all) const {
  for (const bool plane : may_be_plane(one))
    if (fs::exists(mask(one.id, plane)) && (!all || !probabilities || fs::exists(probabilities_file(one.id, plane))))
      return true;
  return false;
}

std::vector<std::string> notes_on_prediction(const semiagcl::RunSettings& s) {
  std::vector<std::string> notes;
  const std::vector<std::string>& mirror = s.evaluation.mirror;
  if (s.evaluation.blending == "gaussian")
    notes.push_back("evaluation.blending = gaussian: voxels count more near a window's centre");
  if (mirror.empty()) return notes;
  const std::size_t mirrors = semiagcl::mirrors_along(semiagcl::axes_named(mirror, "evaluation.mirror")).size();
  notes.push_back(fmt::format("evaluation.mirror = [{}]: a prediction is the mean of {} and takes {} times as long",
                              fmt::join(mirror, ", "), mirrors, mirrors));
  std::vector<std::string> unseen = mirror;
  std::erase_if(unseen, [&](const std::string& axis) { return std::ranges::count(s.augment.flip, axis) > 0; });
  if (!unseen.empty())
    notes.push_back(fmt::format("warning: training did not mirror along {} (augment.flip = [{}])", fmt::join(unseen, ", "),
                                fmt::join(s.augment.flip, ", ")));
  return notes;
}

datasets::Image read_case(const Ensemble& ensemble, const datasets::Case& one, std::optional<float> replace_nan) {
  const TrainedNetwork& trained = ensemble.first();
  datasets::Image image = datasets::load_image(one, trained.channels, replace_nan, datasets::Reader::prediction);
  require<DataError>(trained.network->flat() || image.voxels.shape()[0] > 1,
                     "{}: is a plane, but the checkpoint's {} segments volumes", one.images[0].string(),
                     trained.settings.network.name);
  const std::string orientation = image.geometry.placed ? datasets::orientation_of(image.geometry.affine) : "";
  if (!trained.orientation.empty() && !orientation.empty() && orientation != trained.orientation)
    image.remarks.push_back(
        fmt::format("{}: warning: its axes x, y, z lie {} and those of the training images {}, so it is a "
                    "turned image to the network; expect a worse mask, or turn it first (sagcl-data "
                    "convert, --orientation {})",
                    one.images[0].string(), orientation, trained.orientation, trained.orientation));
  const semiagcl::DataSettings& data = trained.settings.data;
  if (data.normalise == "window" && data.window.front() < 0) {  // as CT, whose fat and air lie below 0
    const float* begin = image.voxels.data<float>();
    if (const float lowest = *std::min_element(begin, begin + image.voxels.size()); lowest >= 0)
      image.remarks.push_back(fmt::format(
          "{}: warning: its lowest value is {}, and training looked at {} to {} (data.window); if this is CT, it "
          "is stored with an offset (1024?): expect a bad mask, or bring it to Hounsfield units",
          one.images[0].string(), lowest, data.window[0], data.window[1]));
  }
  return image;
}

std::filesystem::path predict_case(Ensemble& ensemble, const datasets::Case& one, datasets::Image image,
                                   engine::Device device, const ResultFiles& files, const PredictionExtras& extras,
                                   const std::function<void(std::int64_t done, std::int64_t total)>& progress) {
  const engine::Shape shape = image.voxels.shape();
  const datasets::Geometry geometry = image.geometry;
  const std::int64_t classes = std::int64_t(ensemble.first().classes.size());
  const bool plane = !geometry.measured && geometry.nifti_header.empty() && shape[0] == 1;
  std::optional<datasets::PlaneFile> probabilities;
  if (files.probabilities) {
    make_folder(files.folder / "probabilities");
    probabilities.emplace(files.probabilities_file(one.id, plane), shape.with(3, classes), geometry);
  }
  ExpectedDice dice(classes);
  semiagcl::PredictionEvents events{{}, progress};
  if (probabilities || extras.expected_dice)
    events.probabilities = [&](const engine::Tensor& planes) {
      if (probabilities) probabilities->write(planes);
      if (extras.expected_dice) dice.add(planes);
    };
  engine::Tensor mask = ensemble.predict(std::move(image), one.images[0].string(), device, events);
  if (extras.post_processing) mask = extras.post_processing->apply(std::move(mask));
  else if (ensemble.first().settings.evaluation.largest_component)
    mask = semiagcl::largest_components(std::move(mask), classes);
  if (extras.expected_dice) extras.expected_dice(one, dice.per_class());
  if (probabilities) probabilities->commit();
  write_mask(files.mask(one.id, plane), mask, geometry, plane);
  return files.mask(one.id, plane);
}

}  // namespace sagcl::tools
