#pragma once
// The device contract: everything a device must be able to compute, stated once for all devices. The operations check
// shapes, dtypes and devices and allocate results; kernels assume. All tensors are dense, row-major, channels-last.
// "f32/f64" everywhere unless said; a kernel that a device lacks does not compile. [bf16]: activations and their gradients
// (x, y, dx, dy, a, b of binary) may be bf16, all of them; weights, their gradients, statistics and sums are then f32. The
// arithmetic is that of f32, with weights rounded to bf16, and rounded once at the end (ops/kernels/shared_backend.inl).
#include "engine/random.h"
#include "engine/tensor.h"
#include "ops/conv_geometry.h"
#include "ops/specs.h"

namespace sagcl::ops {

using engine::Tensor;

/// y = f(x), element by element. `a` is the slope of leaky_relu.
enum class Unary { relu, leaky_relu, sigmoid, tanh, exp, log, sqrt, square };
enum class Binary { add, subtract, multiply, divide };

/// A tensor seen as [outer, reduced, inner]; sums run over the middle.
struct Axes {
  std::int64_t outer = 1, reduced = 1, inner = 1;
};

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
  bool linear = true;  ///< trilinear (bilinear for D = 1), else nearest
  /// source = o (in-1)/(out-1), else (o + 0.5) in/out - 0.5 clamped at 0; nearest: floor(o in/out)
  bool align_corners = false;
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
struct Activation {
  double slope = 1;
};

/// What a normalisation works on: x, the statistics of its sets, and γ, β [C].
struct NormOperands {
  NormGeometry g;
  Activation act;
  double eps;
  const Tensor &x, &mean, &variance, &gamma, &beta;
};

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

constexpr std::int64_t summed_rows = 256;  ///< of Backend::draw_rows

class Backend {
 public:
  virtual ~Backend() = default;

  // Numbers that change from step to step lie on the device (f64 [1] unless said), so that recorded work can be replayed
  // with others. `gate`, where a function takes one, is such a number or undefined: where it is 0, the function changes
  // nothing.

  // --- element by element -------------------------------------------------------------------------------------------
  virtual void unary(Unary f, double a, const Tensor& x, Tensor& y) = 0;  ///< [bf16]
  /// dx = dy f'(x), from x and y = f(x). dx may be dy. At 0: relu 0, leaky_relu slope. [bf16]
  virtual void unary_backward(Unary f, double a, const Tensor& x, const Tensor& y, const Tensor& dy, Tensor& dx) = 0;
  virtual void binary(Binary f, const Tensor& a, const Tensor& b, Tensor& y) = 0;  ///< y may be a or b. [bf16]
  /// y = α x + β z; z may be undefined, y may be x or z
  virtual void scale_add(double alpha, const Tensor& x, double beta, const Tensor& z, Tensor& y) = 0;
  virtual void add_scalar(const Tensor& x, double c, Tensor& y) = 0;  ///< y may be x
  /// y = min(max(x, low), high), NaN stays; y may be x
  virtual void clamp(const Tensor& x, double low, double high, Tensor& y) = 0;
  virtual void scale_by(const Tensor& factor, const Tensor& x, Tensor& y) = 0;  ///< y = factor x; y may be x
  /// gate = 0 where an element of x is NaN or infinite, else unchanged
  virtual void close_unless_finite(const Tensor& x, Tensor& gate) = 0;
  virtual void convert(const Tensor& x, Tensor& y) = 0;  ///< y = x; x and y f32, f64 or bf16 (engine/bf16.h)
  /// x [N, .., C]; its own backward; y may be x. [bf16]
  virtual void dropout(const DropoutSpec& spec, const Tensor& x, Tensor& y) = 0;

  // --- sums ---------------------------------------------------------------------------------------------------------
  virtual void sum(const Tensor& x, const Axes& v, double scale, Tensor& y) = 0;  ///< y[o,i] = scale Σ_r x[o,r,i]. [bf16]
  virtual void expand(const Tensor& y, const Axes& v, double scale, Tensor& x) = 0;  ///< x[o,r,i] = scale y[o,i]

  // --- softmax over the last axis -----------------------------------------------------------------------------------
  virtual void softmax(bool logarithm, const Tensor& x, Tensor& y) = 0;
  virtual void softmax_backward(bool logarithm, const Tensor& y, const Tensor& dy, Tensor& dx) = 0;  ///< dx may be dy
  /// labels[r] (i32) = position of the first of the largest x[r,·], -1 where that is below `least`.
  virtual void most_likely(double least, const Tensor& x, Tensor& labels) = 0;

  // --- products -----------------------------------------------------------------------------------------------------
  virtual void matmul(const MatmulGeometry& g, const Tensor& a, const Tensor& b, Tensor& y) = 0;

  // --- convolution [bf16]: w [O, kernel, C]. A transposed convolution is conv_backward_data as its forward -----------
  /// b [O] or undefined
  virtual void conv_forward(const ConvGeometry& g, const Tensor& x, const Tensor& w, const Tensor& b, Tensor& y) = 0;
  /// b [C] is added; or undefined
  virtual void conv_backward_data(const ConvGeometry& g, const Tensor& w, const Tensor& dy, const Tensor& b, Tensor& dx) = 0;
  virtual void conv_backward_weight(const ConvGeometry& g, const Tensor& x, const Tensor& dy, Tensor& dw) = 0;

  // --- pooling and resizing [bf16] ----------------------------------------------------------------------------------
  /// index (u8, like y): position inside the window of the maximum, the first of equals in row-major order; windows of at
  /// most 255 voxels.
  virtual void max_pool(const PoolGeometry& g, const Tensor& x, Tensor& y, Tensor& index) = 0;
  virtual void max_pool_backward(const PoolGeometry& g, const Tensor& index, const Tensor& dy, Tensor& dx) = 0;
  virtual void average_pool(const PoolGeometry& g, const Tensor& x, Tensor& y) = 0;
  virtual void average_pool_backward(const PoolGeometry& g, const Tensor& dy, Tensor& dx) = 0;
  virtual void resize(const ResizeGeometry& g, const Tensor& x, Tensor& y) = 0;
  virtual void resize_backward(const ResizeGeometry& g, const Tensor& dy, Tensor& dx) = 0;

  // --- normalisation [bf16], fused with the activation that follows -------------------------------------------------
  /// mean and biased variance of each set, by two passes or Welford (never Σx² - (Σx)²).
  virtual void norm_statistics(const NormGeometry& g, const Tensor& x, Tensor& mean, Tensor& variance) = 0;
  /// y = act(γ[c] (x - mean) / sqrt(variance + eps) + β[c]); y may be x.
  virtual void norm_apply(const NormOperands& n, Tensor& y) = 0;
  /// From x and dy; the activation's mask is recomputed. `fixed`: mean and variance are constants (evaluation mode).
  /// dx may be dy.
  virtual void norm_backward(const NormOperands& n, bool fixed, const Tensor& dy, Tensor& dx, Tensor& dgamma,
                             Tensor& dbeta) = 0;

  // --- moving elements ------------------------------------------------------------------------------------------------
  virtual void copy_block(const BlockCopy& block, const Tensor& x, Tensor& y) = 0;  ///< any dtype
  /// Cuts x [N, D, H, W, C] into grid[0] x grid[1] x grid[2] equal patches, row-major: y [N * patches, d, h, w, C].
  /// `inverse` puts patches x back together into y. Any dtype.
  virtual void patches(const Extents& grid, bool inverse, const Tensor& x, Tensor& y) = 0;
  /// y[m,:] = x[index[m],:], index i32 [M]
  virtual void gather_rows(const Tensor& x, const Tensor& index, Tensor& y) = 0;
  /// dx[n,:] = Σ_{m: index[m]=n} dy[m,:], in order of m
  virtual void scatter_rows(const Tensor& index, const Tensor& dy, Tensor& dx) = 0;

  // --- rows of vectors, graphs ------------------------------------------------------------------------------------------
  /// rows: y = x / norm, norm = max(|x|, eps)
  virtual void l2_normalise(double eps, const Tensor& x, Tensor& y, Tensor& norm) = 0;
  virtual void l2_normalise_backward(double eps, const Tensor& y, const Tensor& norm, const Tensor& dy, Tensor& dx) = 0;
  /// a [G,N,D], b [G,M,D] -> d [G,N,M]: Σ (a-b)² or Σ |a-b|, by differences (no Gram trick: it loses digits near 0).
  virtual void pairwise_distance(Metric metric, const Tensor& a, const Tensor& b, Tensor& d) = 0;
  /// da and db where defined; |.| has derivative 0 at 0.
  virtual void pairwise_distance_backward(Metric metric, const Tensor& a, const Tensor& b, const Tensor& dd, Tensor& da,
                                          Tensor& db) = 0;
  /// k[g,·] = exp(-d / (2 σ²[g])), σ² [G]
  virtual void gaussian_kernel(const Tensor& d, const Tensor& sigma2, Tensor& k) = 0;
  virtual void gaussian_kernel_backward(const Tensor& k, const Tensor& sigma2, const Tensor& dk, Tensor& dd) = 0;
  /// A [G,N,M] -> value [G] = Σ s, subgradient [G,N,M] = U Vᵀ over the kept singular values. A graph that holds NaN or
  /// infinity is a BackendError that names it; on a device that does not wait for its host, its value is NaN.
  virtual void nuclear_norm(const NuclearNormSpec& spec, const Tensor& a, Tensor& value, Tensor& subgradient) = 0;
  /// Thin decomposition A = U diag(s) Vᵀ, s descending: u [G,N,K], s [G,K], vt [G,K,M], K = min(N,M).
  virtual void svd(const Tensor& a, Tensor& u, Tensor& s, Tensor& vt) = 0;

  // --- losses over voxels: z [R, C] scores, labels i32 [R], -1 is not counted --------------------------------------------
  /// loss [1] = Σ counted (logΣe^z - z_t) / max(1, counted); count [1] receives the number counted, in z's dtype.
  virtual void cross_entropy(const Tensor& z, const Tensor& labels, Tensor& loss, Tensor& count) = 0;
  virtual void cross_entropy_backward(const Tensor& z, const Tensor& labels, const Tensor& count, const Tensor& dloss,
                                      Tensor& dz) = 0;
  /// loss [1] = mean over rows of -Σ_c q log softmax(z); q [R, C] constant.
  virtual void soft_cross_entropy(const Tensor& z, const Tensor& q, Tensor& loss) = 0;
  virtual void soft_cross_entropy_backward(const Tensor& z, const Tensor& q, const Tensor& dloss, Tensor& dz) = 0;
  /// sums [3, C]: Σ p y, Σ p² or Σ p, Σ y² or Σ y. y [R, C], or, if undefined, the one-hot of labels (-1: row not counted).
  virtual void dice_sums(bool squared, const Tensor& p, const Tensor& y, const Tensor& labels, Tensor& sums) = 0;
  /// dp[r,c] = a[c] y[r,c] + b[c] (2 p if squared else 1), from coefficients [2, C]; 0 where not counted.
  virtual void dice_backward(bool squared, const Tensor& p, const Tensor& y, const Tensor& labels,
                             const Tensor& coefficients, Tensor& dp) = 0;
  /// loss [1] = mean over channels c >= first of 1 - (2 sums[0,c] + s) / (sums[1,c] + sums[2,c] + s), s = smooth.
  virtual void dice_loss(double smooth, std::int64_t first, const Tensor& sums, Tensor& loss) = 0;
  /// The coefficients [2, C] of dice_backward for that loss; 0 for channels below first.
  virtual void dice_coefficients(double smooth, std::int64_t first, const Tensor& sums, const Tensor& dloss,
                                 Tensor& coefficients) = 0;

  // --- selection: what is decided from values, without asking the host. Nothing here is differentiated ---
  /// y[g,i] = the value at share q[i] of row g in rising order, the row's `skip` smallest left out, linear between
  /// neighbours (numpy's rule). NaN is not counted; NaN where nothing is left. x [G,n] -> y [G, q].
  virtual void quantiles(std::int64_t skip, const std::vector<double>& q, const Tensor& x, Tensor& y) = 0;
  /// y = (x - low) / max(high - low, 1e-12), clamped to [0,1], in double; x, y [G,n], range [G,2] = low, high.
  virtual void unit_range(const Tensor& x, const Tensor& range, Tensor& y) = 0;
  /// picks[k,·] (i32 [K,n], n <= M) = the n rows with the largest score[·,k], largest first, of equals the lower row, NaN
  /// last; rows with weight[·,k] >= least come before all others. counted[k] (i32 [K]): how many of the n those are. score,
  /// weight [M,K].
  virtual void top_rows(double least, const Tensor& score, const Tensor& weight, Tensor& picks, Tensor& counted) = 0;
  /// y = a where mask is not 0, else b: mask f32 [V]; a, b, y [N,V,C], any dtype; y may be a or b.
  virtual void choose(const Tensor& mask, const Tensor& a, const Tensor& b, Tensor& y) = 0;
  virtual void one_hot(const Tensor& labels, Tensor& y) = 0;  ///< y[r,c] = 1 where c = labels[r] (i32 or u8), else 0
  virtual void diagonal(const Tensor& a, Tensor& y) = 0;      ///< y[g,i] = a[g,i,i]
  virtual void below(const Tensor& x, const Tensor& limit, Tensor& y) = 0;  ///< y[r,c] = 1 where x[r] < limit, else 0
  /// y = x + clamp(scale N(0,1), -most, most), element i from words 2i and 2i + 1 of key.now() (Box-Muller). y may be x.
  virtual void add_noise(const engine::RandomKey& key, double scale, double most, const Tensor& x, Tensor& y) = 0;
  /// y[i] = low + (high - low) unit(word i of key.now())
  virtual void uniform(const engine::RandomKey& key, double low, double high, Tensor& y) = 0;
  /// picks[k,i] (i32 [K,n]) = the first row up to which the weights of column k sum to more than u[k,i] of all; the last
  /// with a weight where rounding leaves none, 0 where no row has one. weight [M,K] of M > 0 rows, u [K,n]. `sums` is to
  /// work in, f64 [K, ceil(M / summed_rows)]: rows are added in chunks of so many, chunks one after the other.
  virtual void draw_rows(const Tensor& weight, const Tensor& u, Tensor& sums, Tensor& picks) = 0;

  // --- updates, all parameters in one call ------------------------------------------------------------------------------
  /// rates f64 [3]: lr / (1 - β1^t), 1 / √(1 - β2^t) for step t = 1, 2, …, and what p is multiplied by (AdamSpec::decoupled)
  virtual void adam(const AdamSpec& spec, const Tensor& rates, const Tensor& gate, const std::vector<AdamSlot>& slots) = 0;
  virtual void sgd(const SgdSpec& spec, const Tensor& lr, const Tensor& gate, const std::vector<SgdSlot>& slots) = 0;
  /// t ← α t + (1-α) s
  virtual void average(const Tensor& alpha, const Tensor& gate,
                       const std::vector<std::pair<Tensor, Tensor>>& teacher_student) = 0;
};

/// The backend of a device; DeviceError when none is registered.
Backend& backend(engine::Device device);

/// Called once by a plugin for each device it serves.
void register_backend(engine::Device device, Backend& backend);

}  // namespace sagcl::ops
