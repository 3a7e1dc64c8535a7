#pragma once
#include "engine/random.h"
#include "ops/specs.h"

// What is decided from values, where they lie and without asking the host: nothing here is differentiated, and shapes never
// depend on values. Floating-point tensors are f32 or f64. ShapeError where shapes do not fit.
namespace sagcl::ops {

/// The values at shares q of the rows of x in rising order, the row's `skip` smallest left out, linear between neighbours
/// (numpy's rule). x [G,n] -> [G, q]. NaN is not counted; NaN where nothing is left.
Tensor quantiles(const Tensor& x, const std::vector<double>& q, std::int64_t skip = 0);

/// (x - low) / max(high - low, 1e-12), clamped to [0,1], in double; x [G,n], range [G,2] = low, high.
Tensor unit_range(const Tensor& x, const Tensor& range);

/// min(max(x, low), high); NaN stays.
Tensor clamp(const Tensor& x, double low, double high);

struct TopRows {
  Tensor picks;    ///< i32 [K,n]: rows, those with the largest score first
  Tensor counted;  ///< i32 [K]: how many from the front have enough weight
};
/// For each column k of score [M,K] the n <= M rows with the largest score, of equals the lower, NaN last; rows with
/// weight[.,k] >= least come before all others and are counted. weight [M,K].
TopRows top_rows(const Tensor& score, const Tensor& weight, double least, std::int64_t n);

/// a where mask is not 0, else b: a ⊙ M + b ⊙ (1 - M) for a mask of zeros and ones. mask f32 [N,D,H,W]; a, b [N,D,H,W,..],
/// any dtype.
Tensor choose(const Tensor& mask, const Tensor& a, const Tensor& b);

/// Labels (i32 or u8, any shape) -> [.., classes] of `dtype`: 1 where c is the label, a row of zeros for any other label.
Tensor one_hot(const Tensor& labels, std::int64_t classes, engine::Dtype dtype);

/// a [G,N,N] -> [G,N]
Tensor diagonal(const Tensor& a);

/// 1 where x[r] < limit (f64 [1] on x's device), else 0, for each of `columns` columns: x any shape -> [.., columns].
Tensor below(const Tensor& x, const Tensor& limit, std::int64_t columns);

/// y[..,c] = x[..,c] / Σ_c x[..,c]
Tensor shares(const Tensor& x);

/// x + clamp(scale N(0,1), -most, most); element i from words 2i and 2i + 1 of key.now() (Box-Muller).
Tensor add_noise(const Tensor& x, const engine::RandomKey& key, double scale, double most);

/// Uniform numbers in [low, high) of x's shape, dtype and device; element i from word i of key.now().
Tensor uniform_like(const Tensor& x, const engine::RandomKey& key, double low, double high);

/// Rows drawn, with replacement, in proportion to their weights, by inverse transform sampling (Devroye 1986, II.2): for
/// column k of weight [M,K] and every number u [K,n] in [0,1] the first row up to which the weights sum to more than u times
/// the column's sum. -> i32 [K,n]; 0 where no row has a weight. A larger u draws no earlier row: numbers that are stratified
/// over [0,1] draw rows that are stratified over the list of those with a weight. UsageError for a weight that is negative
/// or NaN (on the CPU; elsewhere reading it would wait for the device).
Tensor draw_rows(const Tensor& weight, const Tensor& u);

}  // namespace sagcl::ops
