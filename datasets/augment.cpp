#include "datasets/augment.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "datasets/resolution.h"

namespace sagcl::datasets {

namespace {

double draw(const Range& r, engine::Generator& random) { return random.uniform(r.low, r.high); }

void contrast(float* x, std::int64_t voxels, std::int64_t channels, const StrongSpec& spec, engine::Generator& random) {
  std::vector<double> mean(std::size_t(channels), 0.0), keep(std::size_t(channels), 1.0);
  if (spec.about_mean)
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t i = 0; i < voxels; ++i) mean[std::size_t(c)] += double(x[i * channels + c]);
      mean[std::size_t(c)] /= double(voxels);
      keep[std::size_t(c)] = draw(spec.channel_gain, random);
    }
  const double gain = draw(spec.gain, random), offset = draw(spec.offset, random);
  for (std::int64_t c = 0; c < channels; ++c) {
    const double m = mean[std::size_t(c)];
    const float scale = float(gain), shift = float(m * keep[std::size_t(c)] - m * gain + offset);
    for (std::int64_t i = 0; i < voxels; ++i) x[i * channels + c] = x[i * channels + c] * scale + shift;
  }
}

void gamma(float* x, std::int64_t n, double exponent) {
  const auto [low, high] = std::minmax_element(x, x + n);
  const float lo = *low, hi = *high, width = hi - lo + 1e-6f;
  for (std::int64_t i = 0; i < n; ++i) x[i] = std::pow((x[i] - lo) / width, float(exponent)) * (hi - lo) + lo;
}

void grey(float* x, std::int64_t voxels, std::int64_t channels, double share) {
  for (std::int64_t i = 0; i < voxels; ++i, x += channels) {
    float mean = 0;
    for (std::int64_t c = 0; c < channels; ++c) mean += x[c];
    mean /= float(channels);
    for (std::int64_t c = 0; c < channels; ++c) x[c] += float(share) * (mean - x[c]);
  }
}

/// x += sigma N(0, 1). Each block of four random words gives four normal numbers (Box-Muller, both of each pair): the noise
/// of a volume is most of the work of a batch, and one number per draw would make it four times as long.
void add_noise(float* x, std::int64_t n, float sigma, const engine::RandomKey& key) {
  for (std::int64_t i = 0; i < n; i += 4) {
    const std::uint64_t block = std::uint64_t(i) / 4;
    const engine::Words random =
        engine::philox({{std::uint32_t(block), std::uint32_t(block >> 32), key.stream0, key.stream1}}, key.key0, key.key1);
    float normal[4];
    for (int pair = 0; pair < 4; pair += 2) {
      const float radius = std::sqrt(-2 * std::log(1 - engine::unit(random.w[pair])));
      const float angle = 2 * std::numbers::pi_v<float> * engine::unit(random.w[pair + 1]);
      normal[pair] = radius * std::cos(angle), normal[pair + 1] = radius * std::sin(angle);
    }
    for (std::int64_t j = 0; j < std::min<std::int64_t>(4, n - i); ++j) x[i + j] += sigma * normal[j];
  }
}

}  // namespace

StrongSpec StrongSpec::volumes(double deviation) {
  return {.gain = {.7, 1.3},
          .offset = {-.3 * deviation, .3 * deviation},
          .gamma_probability = .5,
          .log_gamma = {-.4, .4},
          .noise = {0, .15 * deviation}};
}

StrongSpec StrongSpec::colours() {
  return {.gain = {.7, 1.3},
          .offset = {-.1, .1},
          .about_mean = true,
          .channel_gain = {.75, 1.25},
          .grey_probability = .3,
          .grey = {.3, 1},
          .noise = {0, .05},
          .clamp_to_unit = true};
}

StrongSpec StrongSpec::full() const {
  StrongSpec spec = *this;
  spec.about_mean = true;
  spec.blur_probability = .2, spec.blur = {.5, 1};
  spec.low_resolution_probability = .25, spec.low_resolution = {.5, 1};
  return spec;
}

Tensor strengthen(const Tensor& voxels, const StrongSpec& spec, engine::Generator& random) {
  engine::require(voxels.shape().rank() == 4, "strengthen takes [D, H, W, C], got {}", voxels.shape());
  Tensor out = voxels.clone();
  const std::int64_t channels = voxels.shape()[3], n = voxels.size();
  float* x = out.data<float>();
  contrast(x, n / channels, channels, spec, random);
  if (spec.gamma_probability > 0 && random.coin(spec.gamma_probability)) gamma(x, n, std::exp(draw(spec.log_gamma, random)));
  if (channels > 1 && spec.grey_probability > 0 && random.coin(spec.grey_probability))
    grey(x, n / channels, channels, draw(spec.grey, random));
  const engine::Extents size{{voxels.shape()[0], voxels.shape()[1], voxels.shape()[2]}};
  if (spec.blur_probability > 0 && random.coin(spec.blur_probability)) blur(x, size, channels, draw(spec.blur, random));
  if (spec.low_resolution_probability > 0 && random.coin(spec.low_resolution_probability))
    lower_resolution(x, size, channels, draw(spec.low_resolution, random));
  if (const float sigma = float(draw(spec.noise, random)); sigma > 0) add_noise(x, n, sigma, random.next_key());
  if (spec.clamp_to_unit)
    for (std::int64_t i = 0; i < n; ++i) x[i] = std::clamp(x[i], 0.f, 1.f);
  return out;
}

}  // namespace sagcl::datasets
