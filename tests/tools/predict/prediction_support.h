#pragma once
#include <string>
#include <vector>

#include "datasets/formats/nifti.h"
#include "datasets/formats/png.h"
#include "engine/files/safetensors.h"
#include "layers/weights.h"
#include "tests/support/golden.h"
#include "tests/tools/tools_support.h"
#include "tools/evaluate/trained_network.h"
#include "tools/run/config.h"

// Images and checkpoints to predict with.

namespace sagcl::tests {

using Names = std::vector<std::string>;

inline const fs::path readers = fs::path(SAGCL_SOURCE_DIR) / "tests/datasets/golden/readers";

inline void write_plane(const fs::path& file, bool colour = false) {
  fs::create_directories(file.parent_path());
  Tensor pixels = Tensor::empty(colour ? engine::Shape{20, 24, 3} : engine::Shape{20, 24}, engine::Dtype::u8);
  for (std::int64_t i = 0; i < pixels.size(); ++i) pixels.data<std::uint8_t>()[i] = std::uint8_t(i * 37 % 251);
  datasets::write_png(file, pixels);
}

inline Tensor some_volume(const engine::Shape& shape) { return random_tensor(shape, 3, engine::Dtype::f32); }

inline void write_volume(const fs::path& file, std::int64_t channels = 1) {
  fs::create_directories(file.parent_path());
  datasets::write_nifti(file, some_volume({17, 9, 20, channels}), {});
}

struct Untrained {
  std::string network = "unet";
  std::int64_t channels = 1;
  std::vector<std::int64_t> patch = {16, 16, 16}, stride = {};
  std::string blending = "mean";
  std::vector<std::string> flip = {"D", "H", "W"}, mirror = {};
  std::uint64_t seed = 1;
  std::vector<double> window = {};  ///< of data.normalise = window; empty: z_score
};

/// A checkpoint of an untrained network of three classes, as sagcl-train writes them.
inline engine::TensorFile checkpoint(const Untrained& u) {
  semiagcl::RunSettings s;
  s.network.name = u.network, s.network.width = 2;
  s.train.patch = u.patch, s.augment.flip = u.flip;
  if (!u.window.empty()) s.data.normalise = "window", s.data.window = u.window;
  s.evaluation.stride = u.stride, s.evaluation.blending = u.blending, s.evaluation.mirror = u.mirror;
  engine::Generator random(u.seed, "weights");
  const auto network = layers::make_segmenter(u.network, {.in_channels = u.channels, .classes = 3, .width = 2}, random);
  engine::TensorFile content;
  layers::store(*network, "student/", content);
  content.notes = {{"config", tools::to_toml(s)},
                   {"classes", R"(["background","a","b"])"},
                   {"channels", std::to_string(u.channels)},
                   {"step", "7"}};
  return content;
}

inline void write_checkpoint(const fs::path& file, const Untrained& u) {
  fs::create_directories(file.parent_path());
  engine::write_safetensors(file, checkpoint(u));
}

}  // namespace sagcl::tests
