#include "datasets/store.h"

#include "datasets/load.h"
#include "datasets/split.h"

namespace sagcl::datasets {

std::vector<Sample> load_samples(const Dataset& data, const std::vector<std::string>& ids, Normalisation how,
                                 bool with_labels) {
  std::vector<Sample> samples;
  samples.reserve(ids.size());
  for (const std::string& id : ids) {
    const Case& one = find_case(data, id);
    Image image = load_image(one, data.channels);
    Sample sample{id, {}, {}, {}};
    if (with_labels) {
      engine::require<engine::DataError>(one.has_label(), "{}: case {} has no label; add one or list the case as unlabelled",
                                         data.folder.string(), id);
      sample.label = load_label(one, image, data.labels, data.n_classes()).classes;
    }
    sample.image = normalise(std::move(image.voxels), how, image.white, one.images[0].string());
    sample.geometry = std::move(image.geometry);
    samples.push_back(std::move(sample));
  }
  return samples;
}

std::vector<Sample> planes_of(std::vector<Sample> samples) {
  std::vector<Sample> planes;
  for (Sample& sample : samples) {
    const engine::Shape s = sample.image.shape();
    if (s[0] == 1) {
      planes.push_back(std::move(sample));
      continue;
    }
    for (std::int64_t d = 0; d < s[0]; ++d) {
      const std::int64_t pixels = s[1] * s[2];
      Sample plane{fmt::format("{}_slice_{}", sample.id, d + 1), {}, {}, sample.geometry};
      plane.image = sample.image.part(d * pixels * s[3], {1, s[1], s[2], s[3]});
      if (sample.label.defined()) plane.label = sample.label.part(d * pixels, {1, s[1], s[2]});
      planes.push_back(std::move(plane));
    }
  }
  return planes;
}

}  // namespace sagcl::datasets
