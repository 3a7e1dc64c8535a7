#include "layers/unet.h"

#include <array>

#include "ops/layout.h"
#include "ops/pool.h"
#include "ops/resize.h"

namespace sagcl::layers {
namespace {

constexpr std::array<double, 5> encoder_dropout = {0.05, 0.1, 0.2, 0.3, 0.5};
constexpr double leaky = 0.01;

ConvLayer::Spec conv3x3(std::int64_t in, std::int64_t out) {
  return {.in = in, .out = out, .kernel = {{1, 3, 3}}, .padding = {{0, 1, 1}}};
}

/// What a step down divides H and W by, an image's D by nothing.
engine::Extents step_in_plane(const SegmenterSpec& spec, std::size_t level) {
  engine::Extents step = spec.step(level);
  step[0] = 1;
  return step;
}

/// Half the channels by a transposed convolution, mostly 2x2 with stride 2, or by 1x1.
ConvLayer::Spec halving(std::int64_t in, std::int64_t out, const engine::Extents& step, bool transposed) {
  const engine::Extents window = transposed ? step : engine::Extents{{1, 1, 1}};
  return {.in = in, .out = out, .kernel = window, .stride = window, .transposed = transposed};
}

}  // namespace

UNetBlock::UNetBlock(std::int64_t in, std::int64_t out, double dropout, engine::Generator& random)
    : first_(conv3x3(in, out), leaky, random), second_(conv3x3(out, out), leaky, random), dropout_(dropout) {}

Variable UNetBlock::forward(const Variable& x, const Pass& pass) {
  const auto unit = [&](const char* name, ConvUnit& one, const Variable& in) {
    const autograd::Scope scope(name);
    return one.forward(in, pass);
  };
  return unit("1", second_, drop(unit("0", first_, x), dropout_, /*whole_channels=*/false, pass));
}

void UNetBlock::describe(Parts& parts) {
  parts.child("0", first_);
  parts.child("1", second_);
}

UNetDecoder::UNetDecoder(const SegmenterSpec& spec, Upsampling upsampling, engine::Generator& random)
    : spec_(spec), upsampling_(upsampling) {
  for (std::size_t l = 4; l-- > 0;) {
    const std::int64_t channels = spec.width << l;
    projections_.push_back(std::make_unique<ConvLayer>(
        halving(2 * channels, channels, step_in_plane(spec, l), upsampling == Upsampling::transposed), random));
    blocks_.push_back(std::make_unique<UNetBlock>(2 * channels, channels, 0, random));
  }
  head_ = std::make_unique<ConvLayer>(conv3x3(spec.width, spec.classes), random);
}

Variable UNetDecoder::up(std::size_t l, const Variable& x) const {
  const Variable h = [&] {
    const autograd::Scope scope("proj");
    return projections_[l]->forward(x);
  }();
  if (upsampling_ == Upsampling::transposed) return h;
  const engine::Extents step = step_in_plane(spec_, 3 - l), out{{1, step[1] * x.shape()[2], step[2] * x.shape()[3]}};
  if (upsampling_ == Upsampling::nearest) return ops::resize(h, {.out = out, .interpolation = ops::Interpolation::nearest});
  return ops::resize(h, {.out = out, .align_corners = true});
}

Variable UNetDecoder::forward(std::vector<Variable> encoder, const Pass& pass) {
  Variable h = narrowed(encoder.back());
  for (std::size_t l = 0; l < 4; ++l) {
    encoder.pop_back();
    const autograd::Scope scope(fmt::format("up{}", l + 1));
    h = blocks_[l]->forward(ops::concat({narrowed(encoder.back()), up(l, h)}, -1), pass);
    if (pass.stages) pass.stages->decoder.push_back(widened(h));
  }
  h = widened(h);
  if (pass.stages) pass.stages->features = h;
  const autograd::Scope scope("head");
  return head_->forward(h);
}

void UNetDecoder::describe(Parts& parts) {
  for (std::size_t l = 0; l < 4; ++l) {
    parts.child(fmt::format("up{}.proj", l + 1), *projections_[l]);
    parts.child(fmt::format("up{}", l + 1), *blocks_[l]);
  }
  parts.child("head", *head_);
}

UNet::UNet(const SegmenterSpec& spec, engine::Generator& random) : Segmenter(spec) {
  for (std::size_t l = 0; l < 5; ++l) {
    const std::int64_t in = l == 0 ? spec.in_channels : spec.width << (l - 1);
    encoder_.push_back(std::make_unique<UNetBlock>(in, spec.width << l, encoder_dropout[l], random));
  }
  decoder_ = std::make_unique<UNetDecoder>(spec, Upsampling::linear, random);
}

std::vector<Variable> UNet::encode_all(const Variable& x, const Pass& pass) {
  std::vector<Variable> levels;
  for (std::size_t l = 0; l < 5; ++l) {
    const autograd::Scope scope(fmt::format("enc{}", l));
    Variable in = l == 0 ? narrowed(x) : levels.back();
    if (const engine::Extents step = l == 0 ? engine::Extents{{1, 1, 1}} : step_in_plane(spec_, l - 1); step.volume() > 1)
      in = ops::max_pool(in, {.window = step, .stride = step});
    levels.push_back(encoder_[l]->forward(in, pass));
  }
  if (pass.stages) pass.stages->encoder = widened(levels);
  return levels;
}

Variable UNet::encode(const Variable& x, const Pass& pass) { return widened(encode_all(x, pass).back()); }

Segmentation UNet::forward(const Variable& x, const Pass& pass) {
  const engine::Shape& s = x.shape();
  const engine::Extents by = stride();
  engine::require(s.rank() == 5 && s[1] == 1 && s[2] % by[1] == 0 && s[3] % by[2] == 0,
                  "U-Net needs [N, 1, H, W, C] with H, W divisible by {}x{}, got {}; pad or choose another patch", by[1],
                  by[2], s);
  std::vector<Variable> levels = encode_all(x, pass);
  const Variable bottleneck = widened(levels.back());
  return {decoder_->forward(std::move(levels), pass), bottleneck};
}

void UNet::describe(Parts& parts) {
  for (std::size_t l = 0; l < 5; ++l) parts.child(fmt::format("enc{}", l), *encoder_[l]);
  decoder_->describe(parts);
}

}  // namespace sagcl::layers
