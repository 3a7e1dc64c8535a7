#pragma once
#include <string>

#include "datasets/volume.h"

namespace sagcl::datasets {

/// How the grey values of a volume are made comparable; computed over the whole volume, per channel.
enum class Normalisation {
  none,
  z_score,  ///< (x - mean) / (deviation + 1e-8), deviation over n
  unit,     ///< x / white: 0 is black and 1 white
  min_max,  ///< (x - min) / (max - min), 0 where the volume is constant
};

/// The rule named in a configuration: "none", "z_score", "unit", "min_max"; UsageError lists the names otherwise.
Normalisation normalisation_named(const std::string& name);

/// [D, H, W, C] normalised, in place if nobody else holds it. Sums are taken in double precision, in order. `white` as
/// Image::white; DataError with the name of the file where `unit` meets values outside 0 to white.
Tensor normalise(Tensor voxels, Normalisation how, double white = 255, const std::string& file = "the image");

}  // namespace sagcl::datasets
