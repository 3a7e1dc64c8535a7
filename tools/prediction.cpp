#include "tools/prediction.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "datasets/formats.h"
#include "datasets/load.h"
#include "datasets/nifti.h"
#include "datasets/normalise.h"
#include "datasets/png.h"
#include "semiagcl/inference.h"
#include "tools/mask_folder.h"

namespace sagcl::tools {

namespace fs = std::filesystem;
using engine::DataError;
using engine::require;

namespace {

/// "la_003_0001" ends in a channel number.
bool has_channel(const std::string& name) {
  return name.size() > 5 && name[name.size() - 5] == '_' && std::all_of(name.end() - 4, name.end(), [](unsigned char c) { return std::isdigit(c); });
}

}  // namespace

std::vector<datasets::Case> image_cases(const fs::path& input) {
  if (datasets::is_dataset(input)) {
    const datasets::Dataset data = datasets::open_dataset(input);
    return data.test.empty() ? data.cases : data.test;
  }
  std::map<std::string, fs::path> files;
  if (fs::is_directory(input)) files = image_files(input);
  else if (!datasets::case_name(input).empty()) files[datasets::case_name(input)] = input;
  require<engine::MissingInput>(!files.empty(), "{}: no images here; they must end in one of {}", input.string(), datasets::format_names());
  const bool channels = std::all_of(files.begin(), files.end(), [](const auto& f) { return has_channel(f.first); });
  std::map<std::string, datasets::Case> cases;
  for (const auto& [name, file] : files) {  // in name order, so channels come in order
    const std::string id = channels ? name.substr(0, name.size() - 5) : name;
    datasets::Case& one = cases[id];
    one.id = one.patient = id;
    if (channels) {
      const std::string expected = fmt::format("{:04}", one.images.size());
      require<DataError>(name.substr(name.size() - 4) == expected, "{}: channel {} of case {} is missing; channels are numbered from _0000 on",
                         file.string(), expected, id);
    }
    one.images.push_back(file);
  }
  std::vector<datasets::Case> list;
  for (auto& [id, one] : cases) list.push_back(std::move(one));
  return list;
}

PredictedCase predict_case(TrainedNetwork& trained, const datasets::Case& one, engine::Device device) {
  const datasets::Image image = datasets::load_image(one, trained.channels);
  const semiagcl::RunSettings& s = trained.settings;
  require<DataError>(trained.network->flat() || image.voxels.shape()[0] > 1, "{}: is a plane, but the checkpoint's {} segments volumes",
                     one.images[0].string(), s.network.name);
  const engine::Tensor voxels = datasets::normalise(image.voxels, datasets::normalisation_named(s.data.normalise));
  PredictedCase out{semiagcl::predict(*trained.network, voxels, s, device), image.geometry};
  if (s.evaluation.largest_component) out.mask = semiagcl::largest_components(out.mask, std::int64_t(trained.classes.size()));
  return out;
}

fs::path write_mask(const fs::path& folder, const std::string& id, const PredictedCase& predicted) {
  const auto& shape = predicted.mask.shape();
  if (predicted.geometry.measured || shape[0] > 1) {
    const fs::path file = folder / (id + ".nii.gz");
    datasets::write_nifti(file, predicted.mask, predicted.geometry);
    return file;
  }
  // Black for the background, then colours that stay apart for everyone; repeated when there are more classes.
  static const std::vector<datasets::Colour> few = {{230, 159, 0}, {86, 180, 233}, {0, 158, 115}, {240, 228, 66}, {213, 94, 0}, {204, 121, 167}};
  std::vector<datasets::Colour> palette = {{0, 0, 0}};
  while (palette.size() < 256) palette.push_back(few[(palette.size() - 1) % few.size()]);
  const fs::path file = folder / (id + ".png");
  datasets::write_png(file, predicted.mask.reshape({shape[1], shape[2]}), palette);
  return file;
}

}  // namespace sagcl::tools
