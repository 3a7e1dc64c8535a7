#pragma once
#include <string>
#include <vector>

#include "engine/error.h"
#include "ops/conv_geometry.h"

namespace sagcl::tests {

/// One convolution of a network; transposed ones as the convolution whose gradient they are.
struct NetworkShape {
  std::string name;
  ops::ConvGeometry geometry;
};

/// Every distinct convolution of the V-Net (112x112x80, batch 4) and of the U-Net (256x256, batch 24) at width 16.
inline std::vector<NetworkShape> network_shapes() {
  using engine::Extents;
  std::vector<NetworkShape> all;
  const auto add = [&](const char* net, int level, std::int64_t N, std::int64_t C, std::int64_t O, Extents in,
                       Extents kernel, Extents stride) {
    ops::ConvGeometry g{N, C, O, in, kernel, {}, stride, {}};
    for (int a = 0; a < 3; ++a) {
      g.padding[a] = stride[a] == 1 ? kernel[a] / 2 : 0;
      g.out[a] = (in[a] + 2 * g.padding[a] - kernel[a]) / stride[a] + 1;
    }
    all.push_back({fmt::format("{} level {} {}->{} {} stride {}", net, level, C, O, to_string(kernel), stride[2]), g});
  };
  const Extents three{{3, 3, 3}}, two{{2, 2, 2}}, one{{1, 1, 1}}, flat{{1, 3, 3}};
  add("vnet", 0, 4, 1, 16, {{112, 112, 80}}, three, one);
  add("vnet", 0, 4, 16, 2, {{112, 112, 80}}, one, one);
  add("unet", 0, 24, 1, 16, {{1, 256, 256}}, flat, one);
  add("unet", 0, 24, 16, 4, {{1, 256, 256}}, flat, one);
  for (int level = 0; level < 5; ++level) {
    const std::int64_t c = 16 << level;
    const Extents volume{{112 >> level, 112 >> level, 80 >> level}}, image{{1, 256 >> level, 256 >> level}};
    add("vnet", level, 4, c, c, volume, three, one);
    add("unet", level, 24, c, c, image, flat, one);
    if (level == 4) break;
    add("vnet", level, 4, c, 2 * c, volume, two, two);
    add("unet", level, 24, 2 * c, c, image, flat, one);  // after concatenation
    // the 1x1 before resizing
    add("unet", level + 1, 24, 2 * c, c, {{1, 256 >> (level + 1), 256 >> (level + 1)}}, one, one);
    add("unet", level + 1, 24, c, 2 * c, {{1, 256 >> (level + 1), 256 >> (level + 1)}}, flat, one);  // after pooling
  }
  return all;
}

}  // namespace sagcl::tests
