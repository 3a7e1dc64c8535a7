#include "semiagcl/baselines/parts/shape_discriminator.h"

#include "layers/conv_unit.h"
#include "ops/activation.h"
#include "ops/arithmetic.h"
#include "ops/cross_entropy.h"
#include "ops/layout.h"
#include "ops/reduce.h"

namespace sagcl::semiagcl {
namespace {

constexpr double slope = 0.2, dropout = 0.5;
constexpr std::int64_t smallest = 16;  // halved four times

/// Departs from the paper: kernels 1x4x4 are a reconstruction for images.
layers::ConvLayer::Spec halving(std::int64_t in, std::int64_t out, bool flat) {
  if (flat) return {.in = in, .out = out, .kernel = {{1, 4, 4}}, .stride = {{1, 2, 2}}, .padding = {{0, 1, 1}}};
  return {.in = in, .out = out, .kernel = {{4, 4, 4}}, .stride = {{2, 2, 2}}, .padding = {{1, 1, 1}}};
}

}  // namespace

ShapeDiscriminator::ShapeDiscriminator(const Spec& s, engine::Generator& random)
    : of_distances_(halving(s.distances, s.width, s.flat), random),
      of_images_(halving(s.image, s.width, s.flat), random),
      deeper_{{halving(s.width, 2 * s.width, s.flat), random},
              {halving(2 * s.width, 4 * s.width, s.flat), random},
              {halving(4 * s.width, 8 * s.width, s.flat), random}},
      classifier_(8 * s.width, 2, random) {}

Variable ShapeDiscriminator::forward(const Variable& distances, const Variable& images, const layers::Pass& pass) const {
  const bool volumes = of_images_.spec().kernel[0] > 1;
  for (int a = volumes ? 1 : 2; a <= 3; ++a)
    engine::require<engine::UsageError>(
        images.shape()[a] >= smallest,
        "SASSNet's discriminator halves crops four times and got {}: choose train.patch = {} "
        "or larger",
        images.shape(), volumes ? "[16, 16, 16]" : "[1, 16, 16]");
  Variable h = ops::add(of_distances_.forward(distances), of_images_.forward(images));
  for (const layers::ConvLayer& conv : deeper_)
    h = conv.forward(layers::drop(ops::leaky_relu(h, slope), dropout, /*whole_channels=*/true, pass));
  // Departs from the paper: over all that is left; their window of 7x7x5 is that of crops of 112x112x80.
  return classifier_.forward(ops::global_average_pool(ops::leaky_relu(h, slope)));
}

void ShapeDiscriminator::describe(layers::Parts& parts) {
  parts.child("distances", of_distances_);
  parts.child("images", of_images_);
  for (std::size_t l = 0; l < deeper_.size(); ++l) parts.child(fmt::format("conv{}", l + 2), deeper_[l]);
  parts.child("classifier", classifier_);
}

Variable judgement_loss(const Variable& scores, std::int64_t labelled) {
  const std::int64_t unlabelled = scores.shape()[0] - labelled;
  const engine::Device device = scores.value().device();
  const Variable ones(Tensor::full({labelled}, 1, engine::Dtype::i32, device));
  const Variable zeros(Tensor::full({unlabelled}, 0, engine::Dtype::i32, device));
  return ops::cross_entropy(scores, ops::concat({ones, zeros}, 0).value());
}

}  // namespace sagcl::semiagcl
