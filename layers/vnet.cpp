#include "layers/vnet.h"

#include <array>

#include "ops/arithmetic.h"
#include "ops/resize.h"

namespace sagcl::layers {
namespace {

constexpr std::array<int, 5> units_of_level = {1, 2, 3, 3, 3};
constexpr double relu_slope = 0;
constexpr double dropout = 0.5;

std::unique_ptr<ConvUnit> unit3x3x3(std::int64_t in, std::int64_t out, engine::Generator& random) {
  return std::make_unique<ConvUnit>(ConvLayer::Spec{.in = in, .out = out, .padding = {{1, 1, 1}}}, relu_slope, random);
}

/// The extents divided or multiplied by `step`, mostly 2x2x2.
std::unique_ptr<ConvUnit> step_unit(std::int64_t in, std::int64_t out, const engine::Extents& step, bool transposed,
                                    engine::Generator& random) {
  return std::make_unique<ConvUnit>(
      ConvLayer::Spec{.in = in, .out = out, .kernel = step, .stride = step, .transposed = transposed}, relu_slope, random);
}

VNetBlock make_block(std::size_t level, std::int64_t in, std::int64_t out, engine::Generator& random) {
  VNetBlock block;
  for (int u = 0; u < units_of_level[level]; ++u) block.push_back(unit3x3x3(u == 0 ? in : out, out, random));
  return block;
}

Variable run_unit(const std::string& name, ConvUnit& unit, const Variable& x, const Pass& pass) {
  const autograd::Scope scope(name);
  return unit.forward(x, pass);
}

Variable run_block(std::size_t number, VNetBlock& block, Variable x, const Pass& pass) {
  const autograd::Scope scope(fmt::format("block{}", number));
  for (std::size_t u = 0; u < block.size(); ++u) x = run_unit(std::to_string(u), *block[u], x, pass);
  return x;
}

Variable run_down(std::size_t number, ConvUnit& down, const Variable& x, const Pass& pass) {
  return run_unit(fmt::format("down{}", number), down, x, pass);
}

void describe_block(std::size_t number, VNetBlock& block, Parts& parts) {
  for (std::size_t u = 0; u < block.size(); ++u) parts.child(fmt::format("block{}.{}", number, u), *block[u]);
}

}  // namespace

VNetDecoder::VNetDecoder(const SegmenterSpec& spec, Upsampling upsampling, engine::Generator& random)
    : spec_(spec), upsampling_(upsampling) {
  for (std::size_t l = 4; l-- > 0;) {
    const std::int64_t channels = spec.width << l;
    ups_.push_back(upsampling == Upsampling::transposed
                       ? step_unit(2 * channels, channels, spec.step(l), /*transposed=*/true, random)
                       : unit3x3x3(2 * channels, channels, random));
    blocks_.push_back(make_block(l, channels, channels, random));
  }
  head_ = std::make_unique<ConvLayer>(ConvLayer::Spec{.in = spec.width, .out = spec.classes, .kernel = {{1, 1, 1}}}, random);
}

Variable VNetDecoder::forward(std::vector<Variable> encoder, const Pass& pass) {
  Variable h = drop(narrowed(encoder.back()), dropout, /*whole_channels=*/true, pass);
  for (std::size_t l = 0; l < 4; ++l) {
    encoder.pop_back();
    if (upsampling_ != Upsampling::transposed) {
      const engine::Shape& s = h.shape();
      const engine::Extents step = spec_.step(3 - l);
      h = ops::resize(h, {.out = {{step[0] * s[1], step[1] * s[2], step[2] * s[3]}},
                          .interpolation =
                              upsampling_ == Upsampling::linear ? ops::Interpolation::linear : ops::Interpolation::nearest});
    }
    h = ops::add(run_unit(fmt::format("up{}", l + 5), *ups_[l], h, pass), narrowed(encoder.back()));
    h = run_block(6 + l, blocks_[l], h, pass);
    if (pass.stages) pass.stages->decoder.push_back(widened(h));
  }
  h = widened(drop(h, dropout, /*whole_channels=*/true, pass));
  if (pass.stages) pass.stages->features = h;
  const autograd::Scope scope("head");
  return head_->forward(h);
}

void VNetDecoder::describe(Parts& parts) {
  for (std::size_t l = 0; l < 4; ++l) {
    parts.child(fmt::format("up{}", l + 5), *ups_[l]);
    describe_block(6 + l, blocks_[l], parts);
  }
  parts.child("head", *head_);
}

void VNet::check_extents(const engine::Shape& s) const {
  const engine::Extents by = stride();
  engine::require(s.rank() == 5 && s[1] % by[0] == 0 && s[2] % by[1] == 0 && s[3] % by[2] == 0,
                  "V-Net needs [N, D, H, W, C] with D, H, W divisible by {}, got {}; pad or choose another patch",
                  engine::to_string(by), s);
}

VNet::VNet(const SegmenterSpec& spec, engine::Generator& random) : Segmenter(spec) {
  for (std::size_t l = 0; l < 5; ++l) {
    const std::int64_t channels = spec.width << l;
    if (l > 0) downs_.push_back(step_unit(channels / 2, channels, spec.step(l - 1), /*transposed=*/false, random));
    blocks_.push_back(make_block(l, l == 0 ? spec.in_channels : channels, channels, random));
  }
  decoder_ = std::make_unique<VNetDecoder>(spec, Upsampling::transposed, random);
}

std::vector<Variable> VNet::encode_all(const Variable& x, const Pass& pass) {
  std::vector<Variable> levels{run_block(1, blocks_[0], narrowed(x), pass)};
  for (std::size_t l = 1; l < 5; ++l)
    levels.push_back(run_block(l + 1, blocks_[l], run_down(l, *downs_[l - 1], levels.back(), pass), pass));
  if (pass.stages) pass.stages->encoder = widened(levels);
  return levels;
}

Variable VNet::encode(const Variable& x, const Pass& pass) {
  Variable h =
      run_block(1, blocks_[0], narrowed(x), pass);  // patches need not come back up, so any size the strides allow will do
  for (std::size_t l = 1; l < 5; ++l) h = run_block(l + 1, blocks_[l], run_down(l, *downs_[l - 1], h, pass), pass);
  return widened(h);
}

Segmentation VNet::forward(const Variable& x, const Pass& pass) {
  check_extents(x.shape());
  std::vector<Variable> levels = encode_all(x, pass);
  const Variable bottleneck = widened(levels.back());
  return {decoder_->forward(std::move(levels), pass), bottleneck};
}

void VNet::describe(Parts& parts) {
  for (std::size_t l = 0; l < 5; ++l) {
    describe_block(l + 1, blocks_[l], parts);
    if (l < 4) parts.child(fmt::format("down{}", l + 1), *downs_[l]);
  }
  decoder_->describe(parts);
}

}  // namespace sagcl::layers
