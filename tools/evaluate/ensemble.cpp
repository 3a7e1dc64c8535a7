#include "tools/evaluate/ensemble.h"

#include <algorithm>

#include "datasets/normalise.h"
#include "engine/parallel.h"
#include "ops/softmax.h"

namespace sagcl::tools {

using engine::Tensor;

namespace {

/// A sum of probabilities [D, H, W, C], filled by planes that come in order.
class ProbabilitySum {
 public:
  explicit ProbabilitySum(const engine::Shape& shape) : sum_(Tensor::zeros(shape)) {}

  void begin() { done_ = 0; }
  void add(const Tensor& planes) {
    float* const to = sum_.data<float>() + done_;
    const float* const from = planes.data<float>();
    engine::parallel_for(planes.size(), 1 << 14, [&](std::int64_t i) { to[i] += from[i]; });
    done_ += planes.size();
  }
  /// Plane d of the mean of so many, [1, H, W, C].
  Tensor mean(std::int64_t d, std::size_t count) const {
    Tensor plane = Tensor::empty(sum_.shape().with(0, 1));
    const float* const from = sum_.data<float>() + d * plane.size();
    const float share = 1 / float(count);
    engine::parallel_for(plane.size(), 1 << 14, [&](std::int64_t i) { plane.data<float>()[i] = from[i] * share; });
    return plane;
  }

 private:
  Tensor sum_;
  std::int64_t done_ = 0;
};

}  // namespace

Ensemble::Ensemble(std::vector<TrainedNetwork> members, std::vector<std::string> sources) : members_(std::move(members)) {
  for (std::size_t i = 1; i < members_.size(); ++i) {
    const auto same = [&](const char* what, const auto& first, const auto& other) {
      engine::require<engine::UsageError>(first == other,
                                          "{} and {}: have different {} ({} and {}), so they have no common answer; give "
                                          "runs on the same data",
                                          sources[0], sources[i], what, first, other);
    };
    const TrainedNetwork &a = members_[0], &b = members_[i];
    same("kinds of network", a.network->flat() ? "images" : "volumes", b.network->flat() ? "images" : "volumes");
    same("channels", a.channels, b.channels);
    same("classes", fmt::format("{}", fmt::join(a.classes, ", ")), fmt::format("{}", fmt::join(b.classes, ", ")));
    same("evaluation.largest_component", a.settings.evaluation.largest_component, b.settings.evaluation.largest_component);
  }
}

Tensor Ensemble::predict(datasets::Image image, const std::string& file, engine::Device device,
                         const semiagcl::PredictionEvents& events) {
  const std::size_t count = members_.size();
  const engine::Shape shape = image.voxels.shape();
  std::optional<ProbabilitySum> sum;
  if (count > 1) sum.emplace(shape.with(3, std::int64_t(first().classes.size())));
  Tensor label;
  for (std::size_t m = 0; m < count; ++m) {
    const TrainedNetwork& member = members_[m];
    semiagcl::PredictionEvents own = events;
    if (sum) sum->begin(), own.probabilities = [&](const Tensor& planes) { sum->add(planes); };
    if (events.progress)
      own.progress = [&](std::int64_t done, std::int64_t total) {
        events.progress(std::int64_t(m) * total + done, std::int64_t(count) * total);
      };
    Tensor voxels = m + 1 < count ? image.voxels : std::move(image.voxels);  // normalise works in place on the last
    voxels = datasets::normalise(std::move(voxels),
                                 datasets::normalisation_named(member.settings.data.normalise, member.settings.data.window),
                                 image.white, file);
    label = semiagcl::predict(*member.network, voxels, member.settings, device, own, image.geometry.spacing);
  }
  for (std::int64_t d = 0; sum && d < shape[0]; ++d) {
    const Tensor plane = sum->mean(d, count);
    if (events.probabilities) events.probabilities(plane);
    const Tensor classes = ops::most_likely(plane).to(engine::Dtype::u8);
    std::copy_n(classes.data<std::uint8_t>(), classes.size(), label.data<std::uint8_t>() + d * classes.size());
  }
  return label;
}

}  // namespace sagcl::tools
