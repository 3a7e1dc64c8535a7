#include "layers/segmenter.h"

#include "engine/devices/precision.h"
#include "layers/unet.h"
#include "layers/vnet.h"
#include "ops/arithmetic.h"

namespace sagcl::layers {
namespace {

[[noreturn]] void unknown(const std::string& name) {
  engine::fail<engine::UsageError>("unknown network '{}': choose vnet or unet", name);
}

}  // namespace

Variable narrowed(const Variable& x) {
  const bool bf16 = engine::precision() == engine::Precision::bf16 && x.value().dtype() == engine::Dtype::f32;
  return bf16 ? ops::convert(x, engine::Dtype::bf16) : x;
}

Variable widened(const Variable& x) { return ops::convert(x, computed_in(x.value().dtype())); }

std::vector<Variable> widened(std::vector<Variable> all) {
  for (Variable& x : all) x = widened(x);
  return all;
}

engine::Extents SegmenterSpec::step(std::size_t level) const {
  engine::Extents step;
  for (int a = 0; a < 3; ++a) step[a] = std::int64_t(level) + halvings[a] >= 4 ? 2 : 1;
  return step;
}

engine::Extents Segmenter::stride() const {
  engine::Extents stride;
  for (int a = 0; a < 3; ++a) stride[a] = flat() && a == 0 ? 1 : std::int64_t(1) << spec_.halvings[a];
  return stride;
}

void Segmenter::stream(std::int64_t depth, const PlaneSource& volume, const LogitSink& logits) {
  logits(forward(volume(0, depth), {}).logits);
}

std::unique_ptr<Segmenter> make_segmenter(const std::string& name, const SegmenterSpec& spec, engine::Generator& random) {
  if (name == "vnet") return std::make_unique<VNet>(spec, random);
  if (name == "unet") return std::make_unique<UNet>(spec, random);
  unknown(name);
}

bool flat(const std::string& name) {
  if (name == "vnet") return false;
  if (name == "unet") return true;
  unknown(name);
}

std::unique_ptr<Decoder> make_decoder(const std::string& name, const SegmenterSpec& spec, Upsampling upsampling,
                                      engine::Generator& random) {
  if (name == "vnet") return std::make_unique<VNetDecoder>(spec, upsampling, random);
  if (name == "unet") return std::make_unique<UNetDecoder>(spec, upsampling, random);
  unknown(name);
}

}  // namespace sagcl::layers
