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
    Sample sample{id, normalise(image.voxels, how), {}, {}};
    if (with_labels) {
      engine::require<engine::DataError>(one.has_label(), "{}: case {} has no label; add one or list the case as unlabelled",
                                         data.folder.string(), id);
      sample.label = load_label(one, image, data.labels, data.n_classes()).classes;
    }
    sample.geometry = std::move(image.geometry);
    samples.push_back(std::move(sample));
  }
  return samples;
}

std::size_t bytes_in_memory(const std::vector<Sample>& samples) {
  std::size_t total = 0;
  for (const Sample& s : samples) total += s.image.bytes() + (s.label.defined() ? s.label.bytes() : 0);
  return total;
}

}  // namespace sagcl::datasets
