#pragma once
// The device contract: everything a device must be able to compute, stated once for all devices. The operations check
// shapes, dtypes and devices and allocate results; kernels assume. All tensors are dense, row-major, channels-last.
// "f32/f64" everywhere unless said; a kernel that a device lacks does not compile.
#include <vector>

#include "engine/random.h"
#include "engine/tensor.h"
#include "ops/conv_geometry.h"

namespace sagcl::ops {

using engine::Tensor;

/// y = f(x), element by element. `a` is the slope of leaky_relu.
enum class Unary { relu, leaky_relu, sigmoid, tanh, exp, log, sqrt, square };
enum class Binary { add, subtract, multiply, divide };

/// A tensor seen as [outer, reduced, inner]; sums run over the middle.
struct Axes { std::int64_t outer = 1, reduced = 1, inner = 1; };

/// y[g,m,n] = Σ_k A[g,m,k] B[g,k,n]; a transposed operand is stored [k,m] or [n,k].
struct MatmulGeometry {
  std::int64_t batch = 1, m = 1, k = 1, n = 1;
  bool transpose_a = false, transpose_b = false;
};

/// x [N, in, C] -> y [N, out, C], out = (in - window) / stride + 1: what does not fill a window is dropped, no padding.
struct PoolGeometry {
  std::int64_t N = 1, C = 1;
  Extents in, out, window, stride;
};

/// x [N, in, C] -> y [N, out, C].
struct ResizeGeometry {
  std::int64_t N = 1, C = 1;
  Extents in, out;
  bool linear = true;          ///< trilinear (bilinear for D = 1), else nearest
  bool align_corners = false;  ///< source = o (in-1)/(out-1), else (o + 0.5) in/out - 0.5 clamped at 0; nearest: floor(o in/out)
};

/// x [N, V, C] normalised in sets of equal statistics: `images` images together and `channels` channels together.
/// Batch norm: images = N, channels = 1. Instance norm: 1, 1. Group norm with G groups: 1, C / G.
/// Statistics have one value per set, ordered [N / images, C / channels].
struct NormGeometry {
  std::int64_t N = 1, V = 1, C = 1;
  std::int64_t images = 1, channels = 1;
  std::int64_t sets() const { return N / images * (C / channels); }
  std::int64_t count() const { return images * V * channels; }  ///< values per set
};

/// What follows a normalisation: y = x̂ γ + β, then x for x > 0 and slope x below. slope 1 is no activation, 0 is ReLU.
struct Activation { double slope = 1; };

/// Element i is kept when unit(key.now().word(i)) >= p and divided by 1 - p. With `per_channel`, i counts [N, C] instead.
struct DropoutSpec {
  double p = 0;
  engine::RandomKey key;
  bool per_channel = false;
};

/// A block of x placed in y, both seen as [s0, s1, s2, s3, s4]: y[yo + i] = x[xo + i] for i in [0, extent).
struct BlockCopy {
  std::int64_t x_shape[5], y_shape[5], x_begin[5], y_begin[5], extent[5];
};

enum class Metric { squared_l2, l1 };

struct NuclearNormSpec {
  double drop = 1e-6;  ///< singular values s < drop * s_max are left out of U Vᵀ (not out of the value)
  bool polar = false;  ///< QDWH polar iteration instead of the SVD; falls back to the SVD when a factorisation fails
};

/// p ← p - lr m̂ / (sqrt(v̂) + eps), with L2 decay added to the gradient. Kingma & Ba 2015, Algorithm 1.
struct AdamSpec { double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0; };

/// v ← momentum v + (g + weight_decay p);  p ← p - lr v.
struct SgdSpec { double momentum = 0.9, weight_decay = 0; };

/// One parameter of a fused update: all tensors share shape and dtype.
struct AdamSlot { Tensor p, g, m, v; };
struct SgdSlot { Tensor p, g, v; };

/// What patch_means averages over a patch, of v = x c_k: v itself, its entropy h(v) = -v ln v - (1-v) ln(1-v) with 0 ln 0 = 0, or
/// the entropy of v clamped to [1e-6, 1 - 1e-6].
enum class PatchMean { value, entropy, clamped_entropy };

/// Per class k of K a ring of S keys, each with the affinity its patch had. Slots that were never filled hold the affinity NaN.
struct KeyRing {
  Tensor keys;         ///< [K, S, dim]
  Tensor affinity;     ///< [K, S]
  Tensor count, next;  ///< i32 [K]: keys held, and the slot that is filled next
};

/// The closest keys of each of B anchors, as closest_keys found them.
struct Closest {
  Tensor slots;           ///< i32 [B, n]: k S + s, the first `found` entries of a row
  Tensor found, allowed;  ///< i32 [B]: how many there are, and how many from the front may be n_i of Eq. 6
};

/// The weight of n_i in a mixture: its affinity, one half, or U(0,1).
enum class MixWeight { affinity, half, random };

class Backend {
 public:
  virtual ~Backend() = default;

  // Numbers that change from step to step lie on the device (f64 [1] unless said), so that recorded work can be replayed with
  // others. `open`, where a function takes one, is such a number or undefined: where it is 0, the function changes nothing.

  // --- element by element -------------------------------------------------------------------------------------------
  virtual void unary(Unary f, double a, const Tensor& x, Tensor& y) = 0;
  /// dx = dy f'(x), from x and y = f(x). dx may be dy. At 0: relu 0, leaky_relu slope.
  virtual void unary_backward(Unary f, double a, const Tensor& x, const Tensor& y, const Tensor& dy, Tensor& dx) = 0;
  virtual void binary(Binary f, const Tensor& a, const Tensor& b, Tensor& y) = 0;  ///< y may be a or b
  virtual void scale_add(double alpha, const Tensor& x, double beta, const Tensor& z, Tensor& y) = 0;  ///< y = α x + β z; z may be undefined, y may be x or z
  virtual void add_scalar(const Tensor& x, double c, Tensor& y) = 0;  ///< y may be x
  virtual void clamp(const Tensor& x, double low, double high, Tensor& y) = 0;  ///< y = min(max(x, low), high), NaN stays; y may be x
  virtual void scale_by(const Tensor& factor, const Tensor& x, Tensor& y) = 0;  ///< y = factor x; y may be x
  virtual void close_unless_finite(const Tensor& x, Tensor& open) = 0;  ///< open = 0 where an element of x is NaN or infinite, else unchanged
  virtual void dropout(const DropoutSpec& spec, const Tensor& x, Tensor& y) = 0;  ///< x [N, .., C]; its own backward; y may be x

  // --- sums ---------------------------------------------------------------------------------------------------------
  virtual void sum(const Tensor& x, const Axes& v, double scale, Tensor& y) = 0;     ///< y[o,i] = scale Σ_r x[o,r,i]
  virtual void expand(const Tensor& y, const Axes& v, double scale, Tensor& x) = 0;  ///< x[o,r,i] = scale y[o,i]

  // --- softmax over the last axis -----------------------------------------------------------------------------------
  virtual void softmax(bool logarithm, const Tensor& x, Tensor& y) = 0;
  virtual void softmax_backward(bool logarithm, const Tensor& y, const Tensor& dy, Tensor& dx) = 0;  ///< dx may be dy
  /// labels[r] (i32) = position of the first of the largest x[r,·], -1 where that is below `least`.
  virtual void most_likely(double least, const Tensor& x, Tensor& labels) = 0;

  // --- products -----------------------------------------------------------------------------------------------------
  virtual void matmul(const MatmulGeometry& g, const Tensor& a, const Tensor& b, Tensor& y) = 0;

  // --- convolution: w [O, kernel, C]. A transposed convolution is conv_backward_data as its forward ------------------
  virtual void conv_forward(const ConvGeometry& g, const Tensor& x, const Tensor& w, const Tensor& b, Tensor& y) = 0;  ///< b [O] or undefined
  virtual void conv_backward_data(const ConvGeometry& g, const Tensor& w, const Tensor& dy, const Tensor& b, Tensor& dx) = 0;  ///< b [C] is added; or undefined
  virtual void conv_backward_weight(const ConvGeometry& g, const Tensor& x, const Tensor& dy, Tensor& dw) = 0;

  // --- pooling and resizing -----------------------------------------------------------------------------------------
  /// index (u8, like y): position inside the window of the maximum, the first of equals in row-major order; windows of at most 255 voxels.
  virtual void max_pool(const PoolGeometry& g, const Tensor& x, Tensor& y, Tensor& index) = 0;
  virtual void max_pool_backward(const PoolGeometry& g, const Tensor& index, const Tensor& dy, Tensor& dx) = 0;
  virtual void average_pool(const PoolGeometry& g, const Tensor& x, Tensor& y) = 0;
  virtual void average_pool_backward(const PoolGeometry& g, const Tensor& dy, Tensor& dx) = 0;
  virtual void resize(const ResizeGeometry& g, const Tensor& x, Tensor& y) = 0;
  virtual void resize_backward(const ResizeGeometry& g, const Tensor& dy, Tensor& dx) = 0;

  // --- normalisation, fused with the activation that follows ----------------------------------------------------------
  /// mean and biased variance of each set, by two passes or Welford (never Σx² - (Σx)²).
  virtual void norm_statistics(const NormGeometry& g, const Tensor& x, Tensor& mean, Tensor& variance) = 0;
  /// y = act(γ[c] (x - mean) / sqrt(variance + eps) + β[c]); y may be x.
  virtual void norm_apply(const NormGeometry& g, Activation act, double eps, const Tensor& x, const Tensor& mean,
                          const Tensor& variance, const Tensor& gamma, const Tensor& beta, Tensor& y) = 0;
  /// From x and dy; the activation's mask is recomputed. `fixed`: mean and variance are constants (evaluation mode).
  /// dx may be dy.
  virtual void norm_backward(const NormGeometry& g, Activation act, double eps, bool fixed, const Tensor& x, const Tensor& mean,
                             const Tensor& variance, const Tensor& gamma, const Tensor& beta, const Tensor& dy, Tensor& dx,
                             Tensor& dgamma, Tensor& dbeta) = 0;

  // --- moving elements ------------------------------------------------------------------------------------------------
  virtual void copy_block(const BlockCopy& block, const Tensor& x, Tensor& y) = 0;  ///< any dtype
  /// Cuts x [N, D, H, W, C] into grid[0] x grid[1] x grid[2] equal patches, row-major: y [N * patches, d, h, w, C].
  /// `inverse` puts patches x back together into y. Any dtype.
  virtual void patches(const Extents& grid, bool inverse, const Tensor& x, Tensor& y) = 0;
  virtual void gather_rows(const Tensor& x, const Tensor& index, Tensor& y) = 0;    ///< y[m,:] = x[index[m],:], index i32 [M]
  virtual void scatter_rows(const Tensor& index, const Tensor& dy, Tensor& dx) = 0; ///< dx[n,:] = Σ_{m: index[m]=n} dy[m,:], in order of m

  // --- rows of vectors, graphs ------------------------------------------------------------------------------------------
  virtual void l2_normalize(double eps, const Tensor& x, Tensor& y, Tensor& norm) = 0;  ///< rows: y = x / norm, norm = max(|x|, eps)
  virtual void l2_normalize_backward(double eps, const Tensor& y, const Tensor& norm, const Tensor& dy, Tensor& dx) = 0;
  /// a [G,N,D], b [G,M,D] -> d [G,N,M]: Σ (a-b)² or Σ |a-b|, by differences (no Gram trick: it loses digits near 0).
  virtual void pairwise_distance(Metric metric, const Tensor& a, const Tensor& b, Tensor& d) = 0;
  /// da and db where defined; |.| has derivative 0 at 0.
  virtual void pairwise_distance_backward(Metric metric, const Tensor& a, const Tensor& b, const Tensor& dd, Tensor& da, Tensor& db) = 0;
  virtual void gaussian_kernel(const Tensor& d, const Tensor& sigma2, Tensor& k) = 0;  ///< k[g,·] = exp(-d / (2 σ²[g])), σ² [G]
  virtual void gaussian_kernel_backward(const Tensor& k, const Tensor& sigma2, const Tensor& dk, Tensor& dd) = 0;
  /// A [G,N,M] -> value [G] = Σ s, subgradient [G,N,M] = U Vᵀ over the kept singular values. A graph that holds NaN or
  /// infinity is a BackendError that names it; on a device that does not wait for its host, its value is NaN.
  virtual void nuclear_norm(const NuclearNormSpec& spec, const Tensor& a, Tensor& value, Tensor& subgradient) = 0;
  /// Thin decomposition A = U diag(s) Vᵀ, s descending: u [G,N,K], s [G,K], vt [G,K,M], K = min(N,M).
  virtual void svd(const Tensor& a, Tensor& u, Tensor& s, Tensor& vt) = 0;

  // --- losses over voxels: z [R, C] scores, labels i32 [R], -1 is not counted --------------------------------------------
  /// loss [1] = Σ counted (logΣe^z - z_t) / max(1, counted); count [1] receives the number counted, in z's dtype.
  virtual void cross_entropy(const Tensor& z, const Tensor& labels, Tensor& loss, Tensor& count) = 0;
  virtual void cross_entropy_backward(const Tensor& z, const Tensor& labels, const Tensor& count, const Tensor& dloss, Tensor& dz) = 0;
  /// loss [1] = mean over rows of -Σ_c q log softmax(z); q [R, C] constant.
  virtual void soft_cross_entropy(const Tensor& z, const Tensor& q, Tensor& loss) = 0;
  virtual void soft_cross_entropy_backward(const Tensor& z, const Tensor& q, const Tensor& dloss, Tensor& dz) = 0;
  /// sums [3, C]: Σ p y, Σ p² or Σ p, Σ y² or Σ y. y [R, C], or, if undefined, the one-hot of labels (-1: row not counted).
  virtual void dice_sums(bool squared, const Tensor& p, const Tensor& y, const Tensor& labels, Tensor& sums) = 0;
  /// dp[r,c] = a[c] y[r,c] + b[c] (2 p if squared else 1), from coefficients [2, C]; 0 where not counted.
  virtual void dice_backward(bool squared, const Tensor& p, const Tensor& y, const Tensor& labels, const Tensor& coefficients, Tensor& dp) = 0;
  /// loss [1] = mean over channels c >= first of 1 - (2 sums[0,c] + s) / (sums[1,c] + sums[2,c] + s), s = smooth.
  virtual void dice_loss(double smooth, std::int64_t first, const Tensor& sums, Tensor& loss) = 0;
  /// The coefficients [2, C] of dice_backward for that loss; 0 for channels below first.
  virtual void dice_coefficients(double smooth, std::int64_t first, const Tensor& sums, const Tensor& dloss, Tensor& coefficients) = 0;

  // --- choices: what a method decides from values, without asking the host. Nothing here is differentiated -----------------
  /// y[g,i] = the value at share q[i] of row g in rising order, the row's `skip` smallest left out, linear between neighbours
  /// (numpy's rule). NaN is not counted; NaN where nothing is left. x [G,n] -> y [G, q].
  virtual void quantiles(std::int64_t skip, const std::vector<double>& q, const Tensor& x, Tensor& y) = 0;
  /// y = (x - low) / max(high - low, 1e-12), clamped to [0,1], in double; x, y [G,n], range [G,2] = low, high.
  virtual void unit_range(const Tensor& x, const Tensor& range, Tensor& y) = 0;
  /// y[n,p,k] = mean over the voxels of patch p of image n of f(x c_k), added in double. x [N,D,H,W,1] or undefined (1),
  /// c [N,D,H,W,K], y [N, grid volume, K].
  virtual void patch_means(PatchMean f, const Extents& grid, const Tensor& x, const Tensor& c, Tensor& y) = 0;
  /// picks[k,·] (i32 [K,n], n <= M) = the n rows with the largest score[·,k], largest first, of equals the lower row, NaN last;
  /// rows with weight[·,k] >= least come before all others. counted[k] (i32 [K]): how many of the n those are. score, weight [M,K].
  virtual void top_rows(double least, const Tensor& score, const Tensor& weight, Tensor& picks, Tensor& counted) = 0;
  /// y[k n + i] = x ⊙ c_k over patch picks[k,i] (of all N images, as patches numbers its rows). x [N,D,H,W,C], c [N,D,H,W,K],
  /// picks i32 [K,n] -> y [K n, d,h,w, C].
  virtual void attended_patches(const Extents& grid, const Tensor& x, const Tensor& c, const Tensor& picks, Tensor& y) = 0;
  /// w[k n + i, image · cells + cell] = Σ of c_k over the voxels that lie in both patch picks[k,i] and the cell of a grid of
  /// `cells` over each image, divided by the row's sum; a row of zeros where that is 0. w [K n, N · cells volume].
  virtual void patch_weights(const Extents& grid, const Extents& cells, const Tensor& c, const Tensor& picks, Tensor& w) = 0;
  virtual void one_hot(const Tensor& labels, Tensor& y) = 0;       ///< y[r,c] = 1 where c = labels[r] (i32 or u8), else 0
  virtual void diagonal(const Tensor& a, Tensor& y) = 0;           ///< y[g,i] = a[g,i,i]
  virtual void below(const Tensor& x, const Tensor& limit, Tensor& y) = 0;  ///< y[r,c] = 1 where x[r] < limit, else 0
  /// y = x + clamp(scale N(0,1), -most, most), element i from words 2i and 2i + 1 of key.now() (Box-Muller). y may be x.
  virtual void add_noise(const engine::RandomKey& key, double scale, double most, const Tensor& x, Tensor& y) = 0;

  // --- keys of contrastive learning: B = K n anchors, class after class -------------------------------------------------------
  /// The n slots of other classes' keys with the largest score[b, k S + s], of equals the lower; those with affinity <= theta
  /// (of ring's dtype) first, both groups by slot. allowed = how many those are, or found if they are fewer than two.
  virtual void closest_keys(const KeyRing& ring, const Tensor& theta, const Tensor& score, Closest& closest) = 0;
  /// y[b,h] = (w n_i + (1 - w) n_j) / |…|: n_i drawn evenly from the allowed slots (word 3 (b H + h) of key.now(), as
  /// floor(unit · allowed)), n_j from those found (the next word), w as said (random: unit of the third). 0 where found = 0.
  virtual void mixtures(MixWeight w, const engine::RandomKey& key, const KeyRing& ring, const Closest& closest, Tensor& y) = 0;
  /// w[b,r] = a_b / (counted[k] Σ a) where b and r are both among the first counted[k] of class k's n rows, else 0; a_b = 1 for
  /// such anchors of classes whose others' rings hold at least `least` keys. All 0 without any. w [K n, K n].
  virtual void contrast_weights(std::int64_t least, const Tensor& counted, const KeyRing& ring, Tensor& w) = 0;
  virtual void other_classes(const KeyRing& ring, Tensor& mask) = 0;  ///< mask [K n, K S]: 0 at keys of other classes, -1e30 elsewhere
  /// Stores the first counted[k] of class k's n rows of keys [K n, dim] with affinity[picks[k,i]]; the oldest make room.
  virtual void store_keys(const Tensor& keys, const Tensor& picks, const Tensor& counted, const Tensor& affinity, const Tensor& open,
                          KeyRing& ring) = 0;
  /// state [2] = θ and whether it was ever moved (0, 1): θ ← clamp(decay θ + (1 - decay) median, low, high); with `from_first` decay
  /// is 0 the first time. Unchanged where median [1] is NaN.
  virtual void move_threshold(double decay, bool from_first, double low, double high, const Tensor& median, const Tensor& open,
                              Tensor& state) = 0;

  // --- updates, all parameters in one call ------------------------------------------------------------------------------
  /// rates f64 [2]: lr / (1 - β1^t) and 1 / √(1 - β2^t) for step t = 1, 2, …
  virtual void adam(const AdamSpec& spec, const Tensor& rates, const Tensor& open, const std::vector<AdamSlot>& slots) = 0;
  virtual void sgd(const SgdSpec& spec, const Tensor& lr, const Tensor& open, const std::vector<SgdSlot>& slots) = 0;
  /// t ← α t + (1-α) s
  virtual void average(const Tensor& alpha, const Tensor& open, const std::vector<std::pair<Tensor, Tensor>>& teacher_student) = 0;
};

/// The backend of a device; DeviceError when none is registered.
Backend& backend(engine::Device device);

/// Called once by a plugin for each device it serves.
void register_backend(engine::Device device, Backend& backend);

}  // namespace sagcl::ops
