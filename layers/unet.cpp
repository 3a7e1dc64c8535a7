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

}  // namespace

UNet::Block UNet::make_block(std::int64_t in, std::int64_t out, double dropout, engine::Generator& random) {
  Block block;
  block.first = std::make_unique<ConvUnit>(conv3x3(in, out), leaky, random);
  block.second = std::make_unique<ConvUnit>(conv3x3(out, out), leaky, random);
  block.dropout = dropout;
  return block;
}

UNet::UNet(const SegmenterSpec& spec, engine::Generator& random) : width_(spec.width) {
  const auto channels = [&](std::size_t level) { return spec.width << level; };
  for (std::size_t l = 0; l < 5; ++l)
    encoder_.push_back(make_block(l == 0 ? spec.in_channels : channels(l - 1), channels(l), encoder_dropout[l], random));
  for (std::size_t l = 4; l-- > 0;) {
    projections_.push_back(std::make_unique<ConvLayer>(
        ConvLayer::Spec{.in = channels(l + 1), .out = channels(l), .kernel = {{1, 1, 1}}}, random));
    decoder_.push_back(make_block(2 * channels(l), channels(l), 0, random));
  }
  head_ = std::make_unique<ConvLayer>(conv3x3(spec.width, spec.classes), random);
}

Variable UNet::run_block(const std::string& name, Block& block, const Variable& x, const Pass& pass) {
  const autograd::Scope scope(name);
  const Variable h = drop(block.first->forward(x, pass), block.dropout, /*whole_channels=*/false, pass);
  const Variable y = block.second->forward(h, pass);
  if (stages) stages->push_back(y);
  return y;
}

std::vector<Variable> UNet::encode_all(const Variable& x, const Pass& pass) {
  const ops::PoolSpec half{.window = {{1, 2, 2}}, .stride = {{1, 2, 2}}};
  std::vector<Variable> levels;
  for (std::size_t l = 0; l < 5; ++l)
    levels.push_back(run_block(fmt::format("enc{}", l), encoder_[l], l == 0 ? x : ops::max_pool(levels.back(), half), pass));
  return levels;
}

Variable UNet::encode(const Variable& x, const Pass& pass) { return encode_all(x, pass).back(); }

Segmentation UNet::forward(const Variable& x, const Pass& pass) {
  const engine::Shape& s = x.shape();
  engine::require(s.rank() == 5 && s[1] == 1 && s[2] % 16 == 0 && s[3] % 16 == 0,
                  "U-Net needs [N, 1, H, W, C] with H, W divisible by 16, got {}; pad or choose another patch", s);
  std::vector<Variable> levels = encode_all(x, pass);
  const Variable bottleneck = levels.back();
  Variable h = bottleneck;
  levels.pop_back();
  for (std::size_t l = 0; l < 4; ++l) {
    const Variable skip = levels.back();
    levels.pop_back();
    const engine::Extents out{{1, skip.shape()[2], skip.shape()[3]}};
    const Variable up = ops::resize(projections_[l]->forward(h), {.out = out, .align_corners = true});
    h = run_block(fmt::format("up{}", l + 1), decoder_[l], ops::concat({skip, up}, -1), pass);
  }
  return {head_->forward(h), bottleneck};
}

void UNet::describe(Parts& parts) {
  const auto block = [&](const std::string& name, Block& b) {
    parts.child(name + ".0", *b.first);
    parts.child(name + ".1", *b.second);
  };
  for (std::size_t l = 0; l < 5; ++l) block(fmt::format("enc{}", l), encoder_[l]);
  for (std::size_t l = 0; l < 4; ++l) {
    parts.child(fmt::format("up{}.proj", l + 1), *projections_[l]);
    block(fmt::format("up{}", l + 1), decoder_[l]);
  }
  parts.child("head", *head_);
}

}  // namespace sagcl::layers
