#pragma once
#include <vector>

#include "engine/tensor.h"
#include "ops/conv_geometry.h"

/// What forward and data gradient have in common. Along each axis, result position `start + j * step` reads the source
/// positions `j * source_step + source_first + t` for taps t, in ascending order. A forward pass is one such lattice. The
/// data gradient of a convolution with stride s is s lattices per axis (its phases), each with the taps that reach it,
/// reversed. So one kernel serves both, and the transposed convolution too.
namespace sagcl::ops::cpu {

/// One lattice of results, with the weights of its taps.
struct Phase {
  Extents start, count;    ///< results along each axis
  Extents source_first;    ///< source position of tap 0 for j = 0 (negative: in the padding)
  Extents taps;            ///< taps along each axis; 0 where none reaches this phase
  Extents kernel_first;    ///< kernel index of tap 0
  std::int64_t panel = 0;  ///< offset of its packed weights
  bool padded(const Extents& source, const Extents& source_step) const;  ///< reads beyond the ends of a source row
};

struct Lattice {
  std::int64_t N, source_channels, result_channels;
  Extents source, result, step, source_step;
  bool forward;  ///< the data gradient walks the kernel backwards in steps of its stride
  std::vector<Phase> phases;
};

Lattice forward_lattice(const ConvGeometry& g);
Lattice backward_lattice(const ConvGeometry& g);

/// The same convolution with fewer, longer axes where the memory layout allows: images and planes merge where the kernel
/// does not cross them, a kernel as wide as its stride becomes channels, and a 1x1x1 kernel one long row of voxels.
ConvGeometry simplified(const ConvGeometry& g);

/// Multiplications of one pass.
inline double multiplications(const ConvGeometry& g) {
  return double(g.N) * double(g.out.volume()) * double(g.O) * double(g.kernel.volume()) * double(g.C);
}

}  // namespace sagcl::ops::cpu
