#pragma once
#include "engine/random.h"
#include "engine/tensor.h"

namespace sagcl::semiagcl {

/// How places in a list are drawn. ARCO (You et al., NeurIPS 2023) cuts the list into 4 x 4 strata of equal size and draws
/// equally many from each, which makes a mean over the draws vary less: `stratified` (its SG) independently, `antithetic`
/// (its SAG) in pairs, of which one mirrors the other about the middle of the stratum.
enum class Drawing { plain, stratified, antithetic };

constexpr std::int64_t strata = 16;

/// Numbers in [0, 1], [rows, n] of the type and device of `like`, for ops::draw_rows: n / 16 of a row are in [s/16,
/// (s+1)/16] for each stratum s, in order; antithetic: the second half of a stratum's are (2s+1)/16 minus the first. Unless
/// plain, UsageError if n is no multiple of 32.
engine::Tensor places(std::int64_t rows, std::int64_t n, Drawing drawing, engine::Generator& random,
                      const engine::Tensor& like);

}  // namespace sagcl::semiagcl
