#include "datasets/store.h"

#include <algorithm>

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
      Sample plane{fmt::format("{}_slice_{}", sample.id, d + 1), Tensor::empty({1, s[1], s[2], s[3]}), {}, sample.geometry};
      const std::int64_t numbers = plane.image.size(), pixels = s[1] * s[2];
      std::copy_n(sample.image.data<float>() + d * numbers, numbers, plane.image.data<float>());
      if (sample.label.defined()) {
        plane.label = Tensor::empty({1, s[1], s[2]}, engine::Dtype::u8);
        std::copy_n(sample.label.data<std::uint8_t>() + d * pixels, pixels, plane.label.data<std::uint8_t>());
      }
      planes.push_back(std::move(plane));
    }
  }
  return planes;
}

std::size_t bytes_in_memory(const std::vector<Sample>& samples) {
  std::size_t total = 0;
  for (const Sample& s : samples) total += s.image.bytes() + (s.label.defined() ? s.label.bytes() : 0);
  return total;
}

}  // namespace sagcl::datasets
