#include "tools/export/network_notes.h"

#include "datasets/normalise.h"
#include "tools/programs/json_text.h"
#include "tools/programs/version.h"

namespace sagcl::tools {
namespace {

std::string rule_of(const datasets::Normalisation& how) {
  switch (how.rule) {
    case datasets::Normalisation::none: return "x";
    case datasets::Normalisation::z_score:
      return "(x - mean) / (deviation + 1e-8), of each channel of the whole image or volume, before it is resampled; "
             "deviation over n";
    case datasets::Normalisation::unit: return "x / white, white being 255, or 65535 in images of 16 bits";
    case datasets::Normalisation::min_max:
      return "(x - min) / (max - min), of each channel of the whole image or volume, before it is resampled";
    case datasets::Normalisation::window:
      return fmt::format("(min(max(x, {}), {}) - {}) / {}", how.low, how.high, how.mean, how.deviation);
  }
  return "";
}

}  // namespace

std::string multiple_of(const layers::Segmenter& network) {
  const engine::Extents by = network.stride();
  if (by[1] == by[2] && (network.flat() || by[0] == by[1])) return std::to_string(by[1]);
  return network.flat() ? fmt::format("{}x{}", by[1], by[2]) : engine::to_string(by);
}

std::map<std::string, std::string> network_notes(const TrainedNetwork& trained) {
  const semiagcl::RunSettings& s = trained.settings;
  const char* resize_rule = s.data.resize == 0         ? "none"
                            : s.data.resize_order == 0 ? "nearest, as scipy.ndimage.zoom of order 0"
                                                       : "bilinear, half-pixel centres, without antialiasing";
  return {{"classes", json_text(nlohmann::json(trained.classes))},
          {"channels", std::to_string(trained.channels)},
          {"network", s.network.name},
          {"width", std::to_string(s.network.width)},
          {"weights", trained.which},
          {"method", s.train.method},
          {"step", std::to_string(trained.step)},
          {"sagcl", version()},
          {"normalise", s.data.normalise},
          {"normalise_rule", rule_of(datasets::normalisation_named(s.data.normalise, s.data.window))},
          {"spacing_mm_dhw", fmt::format("[{}]", fmt::join(s.data.spacing, ", "))},
          {"spacing_rule", s.data.spacing.empty() ? "none" : "resampled before, outer faces fixed; 0 leaves an axis"},
          {"resize", std::to_string(s.data.resize)},
          {"resize_rule", resize_rule},
          {"halvings", json_text(nlohmann::json(s.network.halvings))},
          {"multiple_of", multiple_of(*trained.network)},
          {"patch", json_text(nlohmann::json(s.train.patch))},
          {"stride", json_text(nlohmann::json(s.evaluation.stride))},
          {"blending", s.evaluation.blending},
          {"mirror", json_text(nlohmann::json(s.evaluation.mirror))},
          {"largest_component", s.evaluation.largest_component ? "true" : "false"}};
}

}  // namespace sagcl::tools
