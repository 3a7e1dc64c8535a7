#include <fmt/format.h>

#include "engine/random.h"
#include "ops/arithmetic.h"
#include "ops/conv.h"
#include "ops/cross_entropy.h"
#include "ops/dice.h"
#include "ops/distance.h"
#include "ops/dropout.h"
#include "ops/gather.h"
#include "ops/layout.h"
#include "ops/matmul.h"
#include "ops/norm.h"
#include "ops/nuclear_norm.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "ops/resize.h"
#include "ops/softmax.h"
#include "tools/bench/bench.h"

// Which operations are timed, at which sizes.
namespace sagcl::tools {

using autograd::Variable;
using engine::Shape;
using engine::Tensor;
using Inputs = std::vector<Variable>;

namespace {

engine::RandomKey key() { return engine::Generator(0, "bench").next_key(); }

/// Labels 0, 1, … in turn, as many as `like` has voxels.
Tensor labels_for(const Variable& like) {
  const Shape& s = like.shape();
  const std::int64_t classes = s.back();
  Shape shape = s.rank() == 5 ? Shape{s[0], s[1], s[2], s[3]} : Shape{s[0]};
  Tensor labels = Tensor::empty(shape, engine::Dtype::i32);
  for (std::int64_t i = 0; i < labels.size(); ++i) labels.data<std::int32_t>()[i] = std::int32_t(i * 7 % classes);
  return labels.to(like.value().device());
}

BenchCase conv_case(std::int64_t n, const engine::Extents& size, std::int64_t in, std::int64_t out,
                    std::int64_t depth_of_kernel, std::int64_t k, std::int64_t stride) {
  const bool flat = depth_of_kernel == 1 && size[0] == 1;
  const std::int64_t p = stride == 1 ? k / 2 : 0;
  const ops::ConvSpec spec{.stride = {{flat ? 1 : stride, stride, stride}}, .padding = {{flat ? 0 : p, p, p}}};
  const double places = double(size.volume()) / (stride == 1 ? 1
                                                 : flat      ? double(stride * stride)
                                                             : double(stride * stride * stride));
  return {fmt::format("conv/{}x{} k{} s{} {}->{}", n, engine::to_string(size), k, stride, in, out),
          {{n, size[0], size[1], size[2], in}, {out, depth_of_kernel, k, k, in}, {out}},
          [spec](const Inputs& v) { return ops::conv(v[0], v[1], v[2], spec); },
          2 * double(n) * places * double(out * depth_of_kernel * k * k * in)};
}

void add_volumes(std::vector<BenchCase>& cases) {
  // V-Net at 64x64x48: five stages, one step down, one up, the head.
  const std::int64_t channels[] = {16, 32, 64, 128, 256};
  for (int stage = 0; stage < 5; ++stage)
    cases.push_back(conv_case(1, {{64 >> stage, 64 >> stage, 48 >> stage}}, channels[stage], channels[stage], 3, 3, 1));
  cases.push_back(conv_case(1, {{64, 64, 48}}, 1, 16, 3, 3, 1));
  cases.push_back(conv_case(1, {{64, 64, 48}}, 16, 32, 2, 2, 2));
  cases.push_back(conv_case(1, {{64, 64, 48}}, 16, 2, 1, 1, 1));
  cases.push_back({"conv_transposed/1x32x32x24 k2 s2 32->16",
                   {{1, 32, 32, 24, 32}, {32, 2, 2, 2, 16}, {16}},
                   [](const Inputs& v) {
                     return ops::conv_transposed(v[0], v[1], v[2], {.stride = {{2, 2, 2}}});
                   },
                   2.0 * 32 * 32 * 24 * 8 * 32 * 16});
  const Shape volume{1, 64, 64, 48, 16};
  cases.push_back({"batch_norm+relu/1x64x64x48x16", {volume, {16}, {16}}, [](const Inputs& v) {
                     ops::RunningStatistics running{Tensor::zeros({16}, v[0].value().dtype(), v[0].value().device()),
                                                    Tensor::full({16}, 1, v[0].value().dtype(), v[0].value().device())};
                     return ops::batch_norm(v[0], v[1], v[2], running, {.slope = 0});
                   }});
  cases.push_back({"instance_norm/1x64x64x48x16", {volume, {16}, {16}}, [](const Inputs& v) {
                     return ops::instance_norm(v[0], v[1], v[2]);
                   }});
  cases.push_back({"add/1x64x64x48x16", {volume, volume}, [](const Inputs& v) { return ops::add(v[0], v[1]); }});
  cases.push_back(
      {"channel_dropout/1x64x64x48x16", {volume}, [](const Inputs& v) { return ops::channel_dropout(v[0], 0.5, key()); }});
}

void add_images(std::vector<BenchCase>& cases) {
  const std::int64_t channels[] = {16, 32, 64, 128, 256};
  for (int stage = 0; stage < 5; ++stage)
    cases.push_back(conv_case(4, {{1, 256 >> stage, 256 >> stage}}, channels[stage], channels[stage], 1, 3, 1));
  const Shape image{4, 1, 256, 256, 16};
  cases.push_back({"max_pool/4x1x256x256x16", {image}, [](const Inputs& v) {
                     return ops::max_pool(v[0], {.window = {{1, 2, 2}}, .stride = {{1, 2, 2}}});
                   }});
  cases.push_back({"resize bilinear/4x1x128x128x16", {{4, 1, 128, 128, 16}}, [](const Inputs& v) {
                     return ops::resize(v[0], {.out = {{1, 256, 256}}, .align_corners = true});
                   }});
  cases.push_back({"concat/4x1x256x256x16", {image, image}, [](const Inputs& v) { return ops::concat({v[0], v[1]}, -1); }});
  cases.push_back({"dropout/4x1x256x256x16", {image}, [](const Inputs& v) { return ops::dropout(v[0], 0.05, key()); }});
  cases.push_back(
      {"global_average_pool/4x1x256x256x16", {image}, [](const Inputs& v) { return ops::global_average_pool(v[0]); }});
}

void add_losses(std::vector<BenchCase>& cases) {
  const Shape scores{1, 64, 64, 48, 2};
  cases.push_back({"softmax/1x64x64x48x2", {scores}, [](const Inputs& v) { return ops::softmax(v[0]); }});
  cases.push_back({"cross_entropy/1x64x64x48x2", {scores}, [labels = Tensor()](const Inputs& v) mutable {
                     if (!labels.defined()) labels = labels_for(v[0]);
                     return ops::cross_entropy(v[0], labels);
                   }});
  cases.push_back({"dice of softmax/1x64x64x48x2", {scores}, [labels = Tensor()](const Inputs& v) mutable {
                     if (!labels.defined()) labels = labels_for(v[0]);
                     return ops::dice_loss(ops::softmax(v[0]), labels);
                   }});
  cases.push_back({"pairwise_distance/4x8 of 12288",
                   {{4, 8, 12288}, {4, 8, 12288}},
                   [](const Inputs& v) { return ops::pairwise_distance(v[0], v[1], ops::Metric::squared_l2); },
                   3.0 * 4 * 8 * 8 * 12288});
  cases.push_back({"nuclear_norm/4x8x8", {{4, 8, 8}}, [](const Inputs& v) { return ops::nuclear_norm(v[0]); }});
  cases.push_back({"nuclear_norm/1x128x128", {{1, 128, 128}}, [](const Inputs& v) { return ops::nuclear_norm(v[0]); }});
  cases.push_back({"matmul/64x128 by 4096x128",
                   {{64, 128}, {4096, 128}},
                   [](const Inputs& v) { return ops::matmul(v[0], v[1], {.transpose_b = true}); },
                   2.0 * 64 * 128 * 4096});
  cases.push_back({"l2_normalise/4096x128", {{4096, 128}}, [](const Inputs& v) { return ops::l2_normalise(v[0]); }});
}

}  // namespace

std::vector<BenchCase> layer_cases() {
  std::vector<BenchCase> cases;
  add_volumes(cases), add_images(cases), add_losses(cases);
  return cases;
}

}  // namespace sagcl::tools
