#pragma once
#include "datasets/placement.h"
#include "datasets/volume.h"
#include "engine/random.h"

namespace sagcl::datasets {

/// Bounds of a uniform draw.
struct Range {
  double low = 0, high = 0;
};

/// The strong augmentation: intensities only, never places. The steps, in this order, each drawn once per sample:
///   contrast    x <- (x - m_c) g + m_c a_c + b    m_c: channel mean if `about_mean`, else 0 and a_c = 1
///   gamma       x <- ((x - lo) / (hi - lo + 1e-6))^exp(u) (hi - lo) + lo,  lo, hi: extremes of the crop
///   grey        x <- x + v (mean over channels - x)
///   blur        by a Gaussian of some voxels, see resolution.h
///   resolution  as taken with fewer voxels and enlarged, see resolution.h
///   noise       x <- x + s N(0, 1) per element
///   clamp       to [0, 1]
/// with g, b, a_c, u, v, s, sigma and zoom uniform in their ranges. Defaults do nothing.
struct StrongSpec {
  Range gain = {1, 1};    ///< g
  Range offset = {0, 0};  ///< b
  bool about_mean = false;
  Range channel_gain = {1, 1};  ///< a_c, one draw per channel; only with about_mean
  double gamma_probability = 0;
  Range log_gamma = {0, 0};     ///< u
  double grey_probability = 0;  ///< only for more than one channel
  Range grey = {0, 0};          ///< v
  double blur_probability = 0;
  Range blur = {0, 0};  ///< sigma, voxels
  double low_resolution_probability = 0;
  Range low_resolution = {1, 1};  ///< zoom
  Range noise = {0, 0};           ///< s
  bool clamp_to_unit = false;

  /// Gain .7 to 1.3, offset +-.3 deviations, gamma with probability 1/2 and exponent e^(+-.4), noise up to .15 deviations.
  /// `deviation` is that of the images' values: 1 if they are z-scored.
  static StrongSpec volumes(double deviation = 1);
  /// For RGB in [0, 1]: gain .7 to 1.3 about the channel means, channel gains .75 to 1.25, offset +-.1, grey with
  /// probability .3 by .3 to 1, noise up to .05, clamped.
  static StrongSpec colours();
  /// More of nnU-Net's (Isensee et al., Nature Methods 2021): the gain is about the channel means, blur by .5 to 1 with
  /// probability .2, resolution lowered to .5 to 1 with probability .25. Of all channels alike; there each has its coin.
  StrongSpec full() const;
};

/// Changes the intensities of f32 [D, H, W, C] in a copy.
Tensor strengthen(const Tensor& voxels, const StrongSpec& spec, engine::Generator& random);

}  // namespace sagcl::datasets
