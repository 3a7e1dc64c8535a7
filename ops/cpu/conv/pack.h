#pragma once
#include "ops/cpu/conv/lattice.h"
#include "ops/cpu/kernels.h"

namespace sagcl::ops::cpu {

/// Length of the reduction of one phase: taps times source channels.
std::int64_t panel_depth(const Lattice& l, const Phase& p);

/// Floats of one phase's packed weights, an even number of vectors of result channels.
std::int64_t panel_size(const Kernels& k, const Lattice& l, const Phase& p);

/// The weights of one phase in the order in which the kernels k read them: panel[vector of result channels][tap][source
/// channel][lane], zeros for channels that do not exist.
void pack_weights(const Kernels& k, const ConvGeometry& g, const Lattice& l, const Phase& p, const float* weights,
                  float* panel);

}  // namespace sagcl::ops::cpu
