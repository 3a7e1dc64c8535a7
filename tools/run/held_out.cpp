#include "tools/run/held_out.h"

#include <algorithm>
#include <new>

#include "semiagcl/evaluation/inference.h"

namespace sagcl::tools {

using datasets::Sample;
using engine::OutOfMemory;
using engine::Tensor;

Sample HeldOut::load(const std::string& id) const {
  const auto no_room = [&] {
    engine::fail<OutOfMemory>(
        "no memory is left to read case {} beside the training cases; leave it out, or train on fewer or smaller images",
        id);
  };
  try {
    return std::move(
        datasets::load_samples(data_.dataset, {id}, datasets::normalisation_named(settings_.data.normalise), true).front());
  } catch (const OutOfMemory&) { no_room(); } catch (const std::bad_alloc&) {
    no_room();
  }
  return {};  // not reached
}

Tensor HeldOut::predict(layers::Segmenter& network, const Sample& sample) const {
  const Tensor prediction = semiagcl::predict(network, sample.image, settings_, device_);
  return settings_.evaluation.largest_component ? semiagcl::largest_components(prediction, data_.training.classes)
                                                : prediction;
}

Evaluation HeldOut::evaluation() const {
  Evaluation e;
  e.unit = settings_.evaluation.millimetres ? "mm" : "voxel";
  e.classes.assign(data_.dataset.classes.begin() + 1, data_.dataset.classes.end());
  return e;
}

ValidationPoint HeldOut::validate(layers::Segmenter& network, const std::vector<std::string>& ids, std::int64_t step,
                                  const std::string& name, const std::string& cases) const {
  const std::int64_t classes = data_.training.classes;
  ValidationPoint point{step, name, 0, std::vector<double>(std::size_t(classes - 1), 0.0), cases};
  std::int64_t n = 0;
  run(network, ids, [&](const Sample& sample, const Tensor& prediction) {
    ++n;
    for (std::int64_t k = 1; k < classes; ++k) {
      std::int64_t both = 0, sum = 0;
      for (std::int64_t v = 0; v < prediction.size(); ++v) {
        if (sample.label.data<std::uint8_t>()[v] == datasets::not_annotated) continue;
        const bool a = prediction.data<std::uint8_t>()[v] == k, b = sample.label.data<std::uint8_t>()[v] == k;
        both += a && b, sum += a + b;
      }
      point.per_class[std::size_t(k - 1)] += sum ? 2.0 * double(both) / double(sum) : 1.0;
    }
  });
  for (double& d : point.per_class) d /= double(std::max<std::int64_t>(n, 1)), point.dice += d / double(classes - 1);
  return point;
}

}  // namespace sagcl::tools
