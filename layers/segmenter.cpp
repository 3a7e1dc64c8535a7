#include "layers/segmenter.h"

#include "layers/unet.h"
#include "layers/vnet.h"

namespace sagcl::layers {

void Segmenter::stream(std::int64_t depth, const PlaneSource& volume, const LogitSink& logits) {
  logits(forward(volume(0, depth), {}).logits);
}

std::unique_ptr<Segmenter> make_segmenter(const std::string& name, const SegmenterSpec& spec, engine::Generator& random) {
  if (name == "vnet") return std::make_unique<VNet>(spec, random);
  if (name == "unet") return std::make_unique<UNet>(spec, random);
  engine::fail<engine::UsageError>("unknown network '{}': choose vnet or unet", name);
}

}  // namespace sagcl::layers
