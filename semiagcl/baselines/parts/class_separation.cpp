#include "semiagcl/baselines/parts/class_separation.h"

#include <algorithm>

#include "ops/activation.h"
#include "ops/arithmetic.h"
#include "ops/gather.h"
#include "ops/layout.h"
#include "ops/matmul.h"
#include "ops/reduce.h"
#include "ops/selection.h"

namespace sagcl::semiagcl {
namespace {

constexpr std::int64_t dimensions = 32, remembered = 32;  // E, S

/// One column for each class but background.
Tensor foreground(const Tensor& labels, std::int64_t K, engine::Dtype dtype) {
  return ops::slice(Variable(ops::one_hot(labels, K + 1, dtype)), 1, 1, K).value();
}

/// 1 for a count of two or more, else 0.
Tensor at_least_two(const Variable& count) { return ops::clamp(ops::add_scalar(count, -1).value(), 0, 1); }

}  // namespace

Variable class_distances(const Variable& f, const Variable& w, const Variable& m, const Variable& v) {
  const std::int64_t K = m.shape()[0], S = m.shape()[1], E = m.shape()[2];
  const Variable voxels = ops::matmul(w, f, {.transpose_a = true});
  const Variable memory = ops::reshape(ops::matmul(ops::reshape(v, {K, 1, S}), m), {K, E});
  const Variable mass = ops::multiply(ops::sum_axis(w, 0), ops::sum_axis(v, 1));
  const Variable cosine = ops::divide(ops::sum_axis(ops::multiply(voxels, memory), 1), ops::add_scalar(mass, 1e-12));
  return ops::add_scalar(ops::scale(cosine, -1), 1);
}

SeparationHeads::SeparationHeads(std::int64_t channels, std::int64_t classes, engine::Generator& random)
    : projection_(channels, dimensions, dimensions, random), prediction_(dimensions, dimensions, dimensions, random) {
  // Departs from the paper: its code has selectors for the background too, whose memory stays empty, so that they are never
  // trained.
  for (Selectors* selectors : {&voxel_, &memory_})
    for (std::int64_t k = 1; k < classes; ++k)
      selectors->push_back(std::make_unique<layers::Perceptron>(dimensions, dimensions, 1, random, /*slope=*/0.2));
}

ClassMemory SeparationHeads::remember(const Tensor& features, const Tensor& labels, const Tensor& predicted) {
  const autograd::NoGrad no_grad;
  const std::int64_t K = std::int64_t(voxel_.size()), S = std::min(remembered, features.shape()[0]);
  const Variable projected = projection_.forward(Variable(features), {.training = false});
  const Variable correct =
      ops::multiply(Variable(foreground(labels, K, features.dtype())), Variable(foreground(predicted, K, features.dtype())));
  std::vector<Variable> rows, counted;
  for (std::int64_t k = 0; k < K; ++k) {
    const Variable of_class = ops::slice(correct, 1, k, 1);
    const Variable score = voxel_[std::size_t(k)]->forward(projected, {.training = true, .update_statistics = false});
    const Tensor lowest = ops::top_rows(ops::scale(score, -1).value(), of_class.value(), 0.5, S).picks.reshape({S});
    rows.push_back(ops::gather(projected, lowest));
    counted.push_back(ops::gather(of_class, lowest));
  }
  return {ops::l2_normalise(ops::concat(rows, 0)).value().reshape({K, S, dimensions}),
          ops::concat(counted, 0).value().reshape({K, S})};
}

Variable SeparationHeads::loss(const Variable& features, const Tensor& classes, const ClassMemory& memory) {
  const layers::Pass pass{.training = true};
  const std::int64_t K = std::int64_t(voxel_.size()), S = memory.features.shape()[1];
  const Variable predicted = prediction_.forward(projection_.forward(features, pass), pass);
  std::vector<Variable> w, v;
  for (std::int64_t k = 0; k < K; ++k) {
    // Departs from the paper: a selector's batch norm sees the voxels of all classes, there those of its own, whose number
    // is not known before.
    w.push_back(voxel_[std::size_t(k)]->forward(predicted.detach(), pass));
    const Variable rows = ops::reshape(ops::slice(Variable(memory.features), 0, k, 1), {S, dimensions});
    v.push_back(memory_[std::size_t(k)]->forward(rows, pass));
  }
  const Variable own(foreground(classes, K, features.value().dtype())), counted(memory.counted);
  const Variable distances = class_distances(ops::l2_normalise(predicted),
                                             ops::multiply(ops::sigmoid(ops::concat(w, 1)), own), Variable(memory.features),
                                             ops::multiply(ops::reshape(ops::sigmoid(ops::concat(v, 0)), {K, S}), counted));
  const Variable voxels(at_least_two(ops::sum_axis(own, 0))), rows(at_least_two(ops::sum_axis(counted, 1)));
  return ops::scale(ops::sum(ops::multiply(ops::multiply(distances, voxels), rows)), 1 / double(K + 1));
}

void SeparationHeads::describe(layers::Parts& parts) {
  parts.child("projection", projection_);
  parts.child("prediction", prediction_);
  for (std::size_t k = 0; k < voxel_.size(); ++k) {
    parts.child(fmt::format("selector{}", k + 1), *voxel_[k]);
    parts.child(fmt::format("memory_selector{}", k + 1), *memory_[k]);
  }
}

}  // namespace sagcl::semiagcl
