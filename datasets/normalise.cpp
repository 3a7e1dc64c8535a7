#include "datasets/normalise.h"

#include <algorithm>
#include <cmath>

namespace sagcl::datasets {

using engine::require;

Normalisation normalisation_named(const std::string& name) {
  if (name == "none") return Normalisation::none;
  if (name == "z_score") return Normalisation::z_score;
  if (name == "unit") return Normalisation::unit;
  require<engine::UsageError>(name == "min_max", "normalisation '{}' does not exist; choose none, z_score, unit or min_max",
                              name);
  return Normalisation::min_max;
}

Tensor normalise(Tensor voxels, Normalisation how, double white, const std::string& file) {
  require(voxels.shape().rank() == 4, "normalise takes [D, H, W, C], got {}", voxels.shape());
  if (how == Normalisation::unit && voxels.size() > 0) {
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
    if (how == Normalisation::unit) scale = 1.0 / white;
    if (how == Normalisation::z_score) {
      double sum = 0, squares = 0;
      for (std::int64_t i = 0; i < n; ++i) sum += double(p[i * channels]);
      shift = sum / double(n);
      for (std::int64_t i = 0; i < n; ++i) squares += (double(p[i * channels]) - shift) * (double(p[i * channels]) - shift);
      scale = 1 / (std::sqrt(squares / double(n)) + 1e-8);
    }
    if (how == Normalisation::min_max) {
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
