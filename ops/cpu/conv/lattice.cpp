#include "ops/cpu/conv/lattice.h"

#include <algorithm>

namespace sagcl::ops::cpu {

bool Phase::padded(const Extents& source, const Extents& source_step) const {
  return source_first[2] < 0 || (count[2] - 1) * source_step[2] + source_first[2] + taps[2] > source[2];
}

Lattice forward_lattice(const ConvGeometry& g) {
  Phase whole{.start = {{0, 0, 0}}, .count = g.out, .source_first = {}, .taps = g.kernel, .kernel_first = {{0, 0, 0}}};
  for (int a = 0; a < 3; ++a) whole.source_first[a] = -g.padding[a];
  return {g.N, g.C, g.O, g.in, g.out, Extents{}, g.stride, true, {whole}};
}

Lattice backward_lattice(const ConvGeometry& g) {
  Lattice l{g.N, g.O, g.C, g.out, g.in, g.stride, Extents{}, false, {}};
  Extents r;
  for (r[0] = 0; r[0] < g.stride[0]; ++r[0])
    for (r[1] = 0; r[1] < g.stride[1]; ++r[1])
      for (r[2] = 0; r[2] < g.stride[2]; ++r[2]) {
        Phase phase{.start = r, .count = {}, .source_first = {}, .taps = {}, .kernel_first = {}};
        for (int a = 0; a < 3; ++a) {
          // dx at r + j s receives dy at (r + j s + padding - k) / s for the kernel indices k = k0, k0 + s, ...
          const std::int64_t s = g.stride[a], k0 = (r[a] + g.padding[a]) % s;
          phase.count[a] = g.in[a] > r[a] ? (g.in[a] - r[a] + s - 1) / s : 0;
          phase.taps[a] = g.kernel[a] > k0 ? (g.kernel[a] - k0 + s - 1) / s : 0;
          phase.kernel_first[a] = k0 + (phase.taps[a] - 1) * s;
          phase.source_first[a] = (r[a] + g.padding[a] - k0) / s - (phase.taps[a] - 1);
        }
        if (phase.count.volume() > 0) l.phases.push_back(phase);
      }
  return l;
}

ConvGeometry simplified(const ConvGeometry& given) {
  ConvGeometry g = given;
  const auto trivial = [&](int a) { return g.kernel[a] == 1 && g.stride[a] == 1 && g.padding[a] == 0; };
  if (g.kernel[2] == g.stride[2] && g.kernel[2] > 1 && g.padding[2] == 0 && g.in[2] == g.out[2] * g.stride[2]) {
    g.C *= g.kernel[2];
    g.in[2] = g.out[2];
    g.kernel[2] = g.stride[2] = 1;
  }
  if (trivial(0)) {  // planes do not meet: N images of D planes are N * D images
    g.N *= g.in[0];
    g.in[0] = g.out[0] = 1;
    if (trivial(1) && trivial(2)) {
      g.in = g.out = Extents{{1, 1, g.N * g.in[1] * g.in[2]}};
      g.N = 1;
    }
  }
  return g;
}

}  // namespace sagcl::ops::cpu
