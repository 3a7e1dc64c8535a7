#pragma once
#include "layers/module.h"
#include "tests/support/golden.h"

namespace sagcl::tests {

/// Fills `net` with the golden recipe (tests/golden/README.md): value i of parameter p is
/// float(offset[p] + scale[p] (2 u - 1)), u from word i of the Philox stream (p, 1, case), key (seed, "RECP").
void apply_recipe(layers::Module& net, const Golden& golden);

/// Compares tensors with their fingerprints: sum, l2 norm, max and eight signed sums each. `scale_all` measures against the
/// whole set's l2 norm instead of each tensor's own; rows listed in `skip` are left out.
testing::AssertionResult fingerprints_match(const std::vector<Tensor>& tensors, const Tensor& expected, double tolerance,
                                            bool scale_all = false, const std::vector<std::int64_t>& skip = {});

}  // namespace sagcl::tests
