#pragma once
#include <string>
#include <vector>

#include "semiagcl/training/trainer.h"

/// Trainings of a second, in images or in volumes.
namespace sagcl::tests {

inline datasets::Sample small_sample(const engine::Shape& extents) {
  engine::Generator random(5, "sample");
  datasets::Sample s{"case",
                     engine::Tensor::zeros({extents[0], extents[1], extents[2], 1}),
                     engine::Tensor::zeros(extents, engine::Dtype::u8),
                     {}};
  for (std::int64_t i = 0; i < s.image.size(); ++i) {
    s.label.data<std::uint8_t>()[i] = std::uint8_t(i / 7 % 2);
    s.image.data<float>()[i] = float(random.normal()) + 2 * float(s.label.data<std::uint8_t>()[i]);
  }
  return s;
}

inline semiagcl::RunSettings small_settings(const std::string& method, bool flat) {
  semiagcl::RunSettings s;
  s.train.method = method, s.network.name = flat ? "unet" : "vnet", s.network.width = 2;
  s.train.patch = flat ? std::vector<std::int64_t>{1, 32, 32} : std::vector<std::int64_t>{16, 16, 16};
  s.train.steps = 8, s.train.batch = 8, s.train.learning_rate = 0.01, s.train.restarts = 0;
  s.augment.flip = {"H"};
  if (flat) s.method.patch_grid = {{1, 2, 2}};
  s.method.top_n = 4, s.method.projection_hidden = 8, s.method.projection_dim = 4, s.method.bank_size = 32;
  s.method.min_negatives = 2, s.method.n_closest = 8, s.method.n_hard = 4, s.method.embedding = semiagcl::Embedding::roi;
  return s;
}

inline semiagcl::TrainingData small_data(bool flat) {
  const engine::Shape extents = flat ? engine::Shape{1, 40, 40} : engine::Shape{18, 20, 20};
  semiagcl::TrainingData data{.labelled = {small_sample(extents), small_sample(extents)},
                              .unlabelled = {small_sample(extents), small_sample(extents), small_sample(extents)}};
  for (auto& s : data.unlabelled) s.label = {};
  return data;
}

}  // namespace sagcl::tests
