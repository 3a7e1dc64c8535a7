#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/random.h"
#include "layers/projection_head.h"
#include "layers/segmenter.h"
#include "semiagcl/memory_bank.h"
#include "semiagcl/settings/settings.h"

/// The pictures of docs/ideas: what the paper's equations do to real tiles, drawn with the functions that train.
namespace sagcl::tools {

using engine::Tensor;

/// A short Semi-AGCL training on the glands (preset `glands`, two labelled tiles) and a tile that it has not seen. All
/// images are f32 [N,1,128,128,3] in [0,1].
struct Subject {
  semiagcl::RunSettings settings;
  Tensor tile;      ///< held out, N = 1
  Tensor truth;     ///< its label, u8 [1,128,128]
  Tensor training;  ///< the unlabelled training tiles
  std::unique_ptr<layers::Segmenter> untrained, student, teacher;
  std::unique_ptr<layers::ProjectionHead> head;  ///< the student's
  std::unique_ptr<semiagcl::MemoryBank> bank;    ///< as the last step left it
};

/// Trains for `steps`, at least 2; the folder is data/glands or a copy.
Subject make_subject(const std::filesystem::path& glands, std::int64_t steps);

/// Class probabilities [N,1,H,W,K], running statistics, no dropout.
Tensor probabilities(layers::Segmenter& network, const Tensor& images);

/// The images with normal noise of this deviation, clamped to [0,1]; `draw` chooses the noise.
Tensor noisy(const Tensor& images, double deviation, std::uint64_t draw = 0);

/// One picture: its file name and the SVG.
struct IdeaPicture {
  std::string file, svg;
};

IdeaPicture affinity_picture(Subject& subject);        ///< Eq. 2: A before and after training, and under noise
IdeaPicture nuclear_norm_picture(Subject& subject);    ///< Eq. 3: the loss against noise, singular values, a descent
IdeaPicture hard_negatives_picture(Subject& subject);  ///< Eq. 6: similarities of mixed negatives, stored affinities
IdeaPicture entropy_picture(Subject& subject);         ///< Eq. 1: the patches each score chooses
IdeaPicture copy_paste_picture(Subject& subject);      ///< the mask M: two tiles and what it makes of them

/// An image [1,1,H,W,3] in [0,1] as a square of inline SVG, drawn with so many pixels a side.
std::string small_image(const Tensor& image, double side, std::int64_t pixels);

/// The tile with its patch grid as inline SVG.
std::string tile_with_grid(const Subject& subject, double side);

}  // namespace sagcl::tools
