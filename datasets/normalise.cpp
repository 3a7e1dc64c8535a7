#include "datasets/normalise.h"

#include <algorithm>
#include <cmath>

namespace sagcl::datasets {

using engine::require;

Normalisation normalisation_named(const std::string& name, const std::vector<double>& window) {
  using engine::UsageError;
  const std::vector<std::string> names = {"none", "z_score", "unit", "min_max", "window"};
  const auto found = std::find(names.begin(), names.end(), name);
  require<UsageError>(found != names.end(), "data.normalise = '{}' does not exist; choose one of {}", name,
                      fmt::join(names, ", "));
  Normalisation how = Normalisation::Rule(found - names.begin());
  if (how.rule != Normalisation::window) {
    require<UsageError>(window.empty(), "data.window = [{}] is for data.normalise = window, which is {}",
                        fmt::join(window, ", "), name);
    return how;
  }
  require<UsageError>(window.size() == 4 && window[0] < window[1] && window[3] > 0,
                      "data.normalise = window takes data.window = [low, high, mean, deviation] with low below high and a "
                      "deviation above 0; got [{}]",
                      fmt::join(window, ", "));
  how.low = window[0], how.high = window[1], how.mean = window[2], how.deviation = window[3];
  return how;
}

Tensor normalise(Tensor voxels, const Normalisation& how, double white, const std::string& file) {
  require(voxels.shape().rank() == 4, "normalise takes [D, H, W, C], got {}", voxels.shape());
  if (how.rule == Normalisation::unit && voxels.size() > 0) {
    const auto [low, high] = std::minmax_element(voxels.data<float>(), voxels.data<float>() + voxels.size());
    require<engine::DataError>(
        *low >= 0 && double(*high) <= white,
        "{}: holds values from {} to {}, but data.normalise = unit takes 0 (black) to {} (white); rescale "
        "the image, or train with data.normalise = z_score",
        file, *low, *high, white);
  }
  Tensor out = voxels.sole_owner() ? std::move(voxels) : voxels.clone();
  const std::int64_t channels = out.shape()[3], n = out.size() / channels;
  for (std::int64_t c = 0; c < channels; ++c) {
    float* p = out.data<float>() + c;
    double shift = 0, scale = 1;
    if (how.rule == Normalisation::unit) scale = 1.0 / white;
    if (how.rule == Normalisation::window) {
      shift = how.mean, scale = 1 / how.deviation;
      for (std::int64_t i = 0; i < n; ++i) p[i * channels] = std::clamp(p[i * channels], float(how.low), float(how.high));
    }
    if (how.rule == Normalisation::z_score) {
      double sum = 0, squares = 0;
      for (std::int64_t i = 0; i < n; ++i) sum += double(p[i * channels]);
      shift = sum / double(n);
      for (std::int64_t i = 0; i < n; ++i) squares += (double(p[i * channels]) - shift) * (double(p[i * channels]) - shift);
      scale = 1 / (std::sqrt(squares / double(n)) + 1e-8);
    }
    if (how.rule == Normalisation::min_max) {
      double low = double(p[0]), high = low;
      for (std::int64_t i = 0; i < n; ++i)
        low = std::min(low, double(p[i * channels])), high = std::max(high, double(p[i * channels]));
      shift = low, scale = high > low ? 1 / (high - low) : 0;
    }
    for (std::int64_t i = 0; i < n; ++i) p[i * channels] = float((double(p[i * channels]) - shift) * scale);
  }
  return out;
}

}  // namespace sagcl::datasets
