#include "semiagcl/baselines/parts/dense_head.h"

#include <vector>

#include "ops/layout.h"
#include "ops/pool.h"
#include "ops/resize.h"

namespace sagcl::semiagcl {

using engine::Extents;
using layers::Variable;

namespace {

Extents extents_of(const Variable& x) { return {{x.shape()[1], x.shape()[2], x.shape()[3]}}; }

/// x at other extents: the mean over what a voxel covers where they are smaller, else linear.
Variable brought_to(const Variable& x, const Extents& out) {
  const Extents in = extents_of(x);
  if (in == out) return x;
  if (in[1] < out[1]) return ops::resize(x, {.out = out});
  const Extents covered{{in[0] / out[0], in[1] / out[1], in[2] / out[2]}};
  return ops::average_pool(x, {.window = covered, .stride = covered});
}

layers::ConvLayer::Spec convolution(std::int64_t in, std::int64_t out, bool flat) {
  const std::int64_t depth = flat ? 1 : 3;
  return {.in = in, .out = out, .kernel = {{depth, 3, 3}}, .padding = {{depth / 2, 1, 1}}};
}

}  // namespace

DenseHead::DenseHead(const layers::SegmenterSpec& spec, bool flat, std::int64_t dim, engine::Generator& random)
    : mix_(convolution(31 * spec.width, dim, flat), /*slope=*/0, random),
      out_({.in = dim, .out = dim, .kernel = {{1, 1, 1}}}, random) {}

// Departs from the paper: there the features have the extents of the image (and LA's have 256 channels, of which scales is
// not said); a quarter, as ReCo's, keeps volumes in memory and is the regular sub-sample of voxels that are drawn from.
Variable DenseHead::forward(const layers::Stages& stages, const layers::Pass& pass) {
  const Extents quarter = extents_of(stages.decoder[1]);
  std::vector<Variable> scales{brought_to(stages.encoder.back(), quarter)};
  for (const Variable& stage : stages.decoder) scales.push_back(brought_to(stage, quarter));
  return out_.forward(mix_.forward(ops::concat(scales, -1), pass));
}

void DenseHead::describe(layers::Parts& parts) {
  parts.child("mix", mix_);
  parts.child("out", out_);
}

}  // namespace sagcl::semiagcl
