#pragma once
#include <string>
#include <vector>

#include "datasets/volume.h"

namespace sagcl::datasets {

/// How the grey values of a volume are made comparable, per channel.
struct Normalisation {
  enum Rule {
    none,
    z_score,  ///< (x - mean) / (deviation + 1e-8) of the whole volume, deviation over n
    unit,     ///< x / white: 0 is black and 1 white
    min_max,  ///< (x - min) / (max - min) of the whole volume, 0 where it is constant
    window,   ///< (min(max(x, low), high) - mean) / deviation, the same four numbers for every volume
  };
  Rule rule = none;
  double low = 0, high = 0, mean = 0, deviation = 1;  ///< of `window`

  Normalisation(Rule rule_) : rule(rule_) {}  // implicit: a rule without numbers
};

/// The rule named in a configuration: "none", "z_score", "unit", "min_max", or "window" with {low, high, mean, deviation}.
/// UsageError lists the names, or says what is wrong with the window.
Normalisation normalisation_named(const std::string& name, const std::vector<double>& window = {});

/// [D, H, W, C] normalised, in place if nobody else holds it. Sums are taken in double precision, in order. `white` as
/// Image::white; DataError with the name of the file where `unit` meets values outside 0 to white.
Tensor normalise(Tensor voxels, const Normalisation& how, double white = 255, const std::string& file = "the image");

}  // namespace sagcl::datasets
