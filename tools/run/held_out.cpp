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
    return std::move(datasets::load_samples(data_.dataset, {id},
                                            datasets::normalisation_named(settings_.data.normalise, settings_.data.window),
                                            true)
                         .front());
  } catch (const OutOfMemory&) { no_room(); } catch (const std::bad_alloc&) {
    no_room();
  }
  return {};  // not reached
}

Tensor HeldOut::predict(layers::Segmenter& network, const Sample& sample) const {
  const Tensor prediction = semiagcl::predict(network, sample.image, settings_, device_, {}, sample.geometry.spacing);
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
                                  const std::string& name, const std::string& cases, const Seen& seen) const {
  const std::int64_t classes = data_.training.classes - 1;  // without the background
  ValidationPoint point{step, name, 0, std::vector<double>(std::size_t(classes), 0.0), cases};
  std::vector<bool> occurs(std::size_t(classes), false);
  const auto note = [&](const Tensor& labels) {
    for (std::int64_t i = 0; i < labels.size(); ++i)
      if (const int k = labels.data<std::uint8_t>()[i]; k >= 1 && k <= classes) occurs[std::size_t(k - 1)] = true;
  };
  std::int64_t n = 0;
  run(network, ids, [&](const Sample& sample, const Tensor& prediction) {
    ++n;
    note(sample.label), note(prediction);
    if (seen) seen(sample, prediction);
    const std::vector<double> dice = dice_per_class(prediction, sample.label, classes);
    for (std::size_t k = 0; k < dice.size(); ++k) point.per_class[k] += dice[k];
  });
  double counted = 0;
  for (std::size_t k = 0; k < occurs.size(); ++k) {
    point.per_class[k] /= double(std::max<std::int64_t>(n, 1));
    if (occurs[k]) point.dice += point.per_class[k], ++counted;
  }
  point.dice /= std::max(counted, 1.0);
  return point;
}

}  // namespace sagcl::tools
