#include "datasets/phantom.h"

#include <algorithm>

#include "datasets/formats/json_file.inl"
#include "datasets/formats/nifti.h"
#include "engine/files/atomic_file.h"
#include "engine/random.h"

namespace sagcl::datasets {

using engine::Extents;
using engine::Generator;
using engine::require;

Sample phantom(const PhantomSpec& spec, std::int64_t index) {
  require<engine::UsageError>(spec.classes >= 2 && spec.classes <= 255 && spec.channels >= 1,
                              "phantom: {} classes and {} channels asked for", spec.classes, spec.channels);
  Generator random = Generator(spec.seed, "phantom", std::uint64_t(index));
  const Extents& size = spec.extents;
  double centre[3], radius[3], ramp[3];
  int longest = 0;
  for (int a = 0; a < 3; ++a) {
    const double n = double(size[a]);
    centre[a] = (n - 1) / 2 + random.uniform(-0.08, 0.08) * n;
    radius[a] = size[a] == 1 ? 1 : random.uniform(0.25, 0.38) * n;
    ramp[a] = random.uniform(-0.2, 0.2) / n;
    if (size[a] > size[longest]) longest = a;
  }
  const double brightness = random.uniform(0.8, 1.2) * spec.contrast;
  Sample sample{fmt::format("phantom_{:03}", index),
                Tensor::empty({size[0], size[1], size[2], spec.channels}),
                Tensor::empty({size[0], size[1], size[2]}, engine::Dtype::u8),
                {}};
  sample.geometry.measured = true;  // its voxels are cubes of a millimetre
  float* image = sample.image.data<float>();
  std::uint8_t* label = sample.label.data<std::uint8_t>();
  for (std::int64_t i = 0; i < size.volume(); ++i) {
    Extents p;
    engine::split(i, size, p);
    double distance = 0, slope = 0;
    for (int a = 0; a < 3; ++a) {
      const double u = (double(p[a]) - centre[a]) / radius[a];
      distance += u * u;
      slope += ramp[a] * double(p[a]);
    }
    std::int64_t part = 0;
    if (distance <= 1) {
      const double along = (double(p[longest]) - centre[longest]) / radius[longest];  // -1 to 1
      part = 1 + std::clamp<std::int64_t>(std::int64_t((along + 1) / 2 * double(spec.classes - 1)), 0, spec.classes - 2);
    }
    label[i] = std::uint8_t(part);
    const double level = part == 0 ? 0 : brightness * (1 + 0.5 * double(part - 1));
    for (std::int64_t c = 0; c < spec.channels; ++c) *image++ = float(level + slope + spec.noise * random.normal());
  }
  return sample;
}

void write_phantoms(const std::filesystem::path& folder, const PhantomSpec& spec, std::int64_t labelled,
                    std::int64_t unlabelled, std::int64_t test) {
  for (const char* part : {"imagesTr", "labelsTr", "imagesUn", "imagesTs", "labelsTs"})
    std::filesystem::create_directories(folder / part);
  Json training = Json::array();
  for (std::int64_t i = 0; i < labelled + unlabelled + test; ++i) {
    const Sample s = phantom(spec, i);
    const std::string file = s.id + ".nii.gz";
    const bool with_label = i < labelled || i >= labelled + unlabelled;
    const std::string part = i < labelled ? "Tr" : with_label ? "Ts" : "Un";
    write_nifti(folder / ("images" + part) / file, s.image, s.geometry);
    if (with_label) write_nifti(folder / ("labels" + part) / file, s.label, s.geometry);
    if (i < labelled) training.push_back({{"image", "./imagesTr/" + file}, {"label", "./labelsTr/" + file}});
  }
  Json labels = {{"background", 0}};
  for (std::int64_t c = 1; c < spec.classes; ++c) labels[fmt::format("part {}", c)] = c;
  const Json json = {{"name", "Phantoms"},
                     {"labels", labels},
                     {"numTraining", labelled},
                     {"file_ending", ".nii.gz"},
                     {"training", training}};
  engine::write_file_atomically(folder / "dataset.json", json.dump(1) + "\n");
}

}  // namespace sagcl::datasets
