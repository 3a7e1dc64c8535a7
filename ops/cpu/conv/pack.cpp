#include "ops/cpu/conv/pack.h"

#include <algorithm>

#include "engine/parallel.h"

namespace sagcl::ops::cpu {

std::int64_t panel_depth(const Lattice& l, const Phase& p) { return p.taps.volume() * l.source_channels; }

std::int64_t panel_size(const Kernels& k, const Lattice& l, const Phase& p) {
  const std::int64_t pair = 2 * k.lanes;
  return (l.result_channels + pair - 1) / pair * pair * panel_depth(l, p);
}

void pack_weights(const Kernels& k, const ConvGeometry& g, const Lattice& l, const Phase& p, const float* weights,
                  float* panel) {
  const std::int64_t taps = p.taps.volume(), all = g.kernel.volume(), lanes = k.lanes;
  const std::int64_t channels = l.source_channels, block_stride = taps * channels * lanes;
  const std::int64_t per_group = 2 * lanes, groups = (l.result_channels + per_group - 1) / per_group;
  engine::parallel_for(groups * taps, std::max<std::int64_t>(1, 16384 / (per_group * channels)), [&](std::int64_t i) {
    const std::int64_t group = i / taps, tap = i % taps, first = group * per_group;
    Extents j, at;
    engine::split(tap, p.taps, j);
    for (int a = 0; a < 3; ++a) at[a] = p.kernel_first[a] + (l.forward ? j[a] : -j[a] * g.stride[a]);
    const float* from = weights + engine::join(0, at, g.kernel) * g.C;
    const std::int64_t width = std::min(per_group, l.result_channels - first);
    float* to = panel + group * 2 * block_stride + tap * channels * lanes;
    if (l.forward) k.pack_panel({from + first * all * g.C, to, width, all * g.C, channels, 1, block_stride});
    else k.pack_panel({from + first, to, width, 1, channels, all * g.C, block_stride});
  });
}

}  // namespace sagcl::ops::cpu
