#include "layers/vnet.h"

#include <array>

#include "ops/arithmetic.h"

namespace sagcl::layers {
namespace {

constexpr std::array<int, 9> units_per_block = {1, 2, 3, 3, 3, 3, 3, 2, 1};
constexpr std::array<int, 9> level_of_block = {0, 1, 2, 3, 4, 3, 2, 1, 0};
constexpr double relu_slope = 0;
constexpr double dropout = 0.5;

}  // namespace

void VNet::check_extents(const engine::Shape& s) {
  engine::require(s.rank() == 5 && s[1] % 16 == 0 && s[2] % 16 == 0 && s[3] % 16 == 0,
                  "V-Net needs [N, D, H, W, C] with D, H, W divisible by 16, got {}; pad or choose another patch", s);
}

VNet::VNet(const SegmenterSpec& spec, engine::Generator& random) : width_(spec.width) {
  const auto channels = [&](int level) { return spec.width << level; };
  for (std::size_t b = 0; b < 9; ++b) {
    const std::int64_t c = channels(level_of_block[b]);
    blocks_.emplace_back();
    for (int u = 0; u < units_per_block[b]; ++u)
      blocks_[b].push_back(std::make_unique<ConvUnit>(
          ConvLayer::Spec{.in = b == 0 && u == 0 ? spec.in_channels : c, .out = c, .padding = {{1, 1, 1}}}, relu_slope,
          random));
  }
  const engine::Extents two{{2, 2, 2}};
  for (int l = 0; l < 4; ++l) {
    downs_.push_back(std::make_unique<ConvUnit>(
        ConvLayer::Spec{.in = channels(l), .out = channels(l + 1), .kernel = two, .stride = two}, relu_slope, random));
    ups_.push_back(std::make_unique<ConvUnit>(
        ConvLayer::Spec{.in = channels(4 - l), .out = channels(3 - l), .kernel = two, .stride = two, .transposed = true},
        relu_slope, random));
  }
  head_ = std::make_unique<ConvLayer>(ConvLayer::Spec{.in = spec.width, .out = spec.classes, .kernel = {{1, 1, 1}}}, random);
}

Variable VNet::run_block(std::size_t b, Variable x, const Pass& pass) {
  const autograd::Scope scope(fmt::format("block{}", b + 1));
  for (auto& unit : blocks_[b]) x = unit->forward(x, pass);
  if (stages) stages->push_back(x);
  return x;
}

Variable VNet::encode(const Variable& x, const Pass& pass, std::vector<Variable>& skips) {
  check_extents(x.shape());
  Variable h = run_block(0, x, pass);
  for (std::size_t l = 0; l < 4; ++l) {
    skips.push_back(h);
    h = run_block(l + 1, downs_[l]->forward(h, pass), pass);
  }
  return h;
}

Variable VNet::encode(const Variable& x, const Pass& pass) {
  Variable h = run_block(0, x, pass);  // patches need not come back up, so any size the strides allow will do
  for (std::size_t l = 0; l < 4; ++l) h = run_block(l + 1, downs_[l]->forward(h, pass), pass);
  return h;
}

Segmentation VNet::forward(const Variable& x, const Pass& pass) {
  std::vector<Variable> skips;
  const Variable bottleneck = encode(x, pass, skips);
  Variable h = drop(bottleneck, dropout, /*whole_channels=*/true, pass);
  for (std::size_t l = 0; l < 4; ++l) {
    h = ops::add(ups_[l]->forward(h, pass), skips.back());
    skips.pop_back();
    h = run_block(5 + l, h, pass);
  }
  return {head_->forward(drop(h, dropout, /*whole_channels=*/true, pass)), bottleneck};
}

void VNet::describe(Parts& parts) {
  const auto block = [&](std::size_t b) {
    for (std::size_t u = 0; u < blocks_[b].size(); ++u) parts.child(fmt::format("block{}.{}", b + 1, u), *blocks_[b][u]);
  };
  for (std::size_t l = 0; l < 5; ++l) {
    block(l);
    if (l < 4) parts.child(fmt::format("down{}", l + 1), *downs_[l]);
  }
  for (std::size_t l = 0; l < 4; ++l) {
    parts.child(fmt::format("up{}", l + 5), *ups_[l]);
    block(l + 5);
  }
  parts.child("head", *head_);
}

}  // namespace sagcl::layers
