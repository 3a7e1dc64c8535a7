#pragma once
// The method's own contract: what the paper needs of a device beside the operations (ops/backend.h). Nothing here is
// differentiated, and nothing waits for the host. Kernels assume what the functions of the files named like them check. All
// tensors are dense, f32 or f64 unless said.
#include "engine/extents.h"
#include "engine/random.h"
#include "engine/tensor.h"

namespace sagcl::semiagcl {

using engine::Extents;
using engine::Tensor;

/// What patch_means averages over a patch, of v = x c_k: v itself, its entropy h(v) = -v ln v - (1-v) ln(1-v) with 0 ln 0 =
/// 0, or the entropy of v clamped to [1e-6, 1 - 1e-6].
enum class PatchMean { value, entropy, clamped_entropy };

/// Per class k of K a ring of S keys, each with the affinity its patch had. Slots that were never filled hold the affinity
/// NaN.
struct KeyRing {
  Tensor keys;         ///< [K, S, dim]
  Tensor affinity;     ///< [K, S]
  Tensor count, next;  ///< i32 [K]: keys held, and the slot that is filled next
};

/// The closest keys of each of B anchors, as closest_keys found them.
struct Closest {
  Tensor slots;           ///< i32 [B, n]: k S + s, the first `found` entries of a row
  Tensor count, allowed;  ///< i32 [B]: how many there are, and how many from the front may be n_i of Eq. 6
};

/// The weight of n_i in a mixture: its affinity, one half, or U(0,1).
enum class MixWeight { affinity, half, random };

class PaperBackend {
 public:
  virtual ~PaperBackend() = default;

  // `gate`, where a function takes one, is f64 [1] on the device or undefined: where it is 0, the function changes nothing.

  // --- patches (III-A) ------------------------------------------------------------------------------------------------
  /// y[n,p,k] = mean over the voxels of patch p of image n of f(x c_k), added in double. x [N,D,H,W,1] or undefined (1),
  /// c [N,D,H,W,K], y [N, grid volume, K].
  virtual void patch_means(PatchMean f, const Extents& grid, const Tensor& x, const Tensor& c, Tensor& y) = 0;
  /// y[k n + i] = x ⊙ c_k over patch picks[k,i] (of all N images, as patches numbers its rows). x [N,D,H,W,C], c
  /// [N,D,H,W,K], picks i32 [K,n] -> y [K n, d,h,w, C].
  virtual void attended_patches(const Extents& grid, const Tensor& x, const Tensor& c, const Tensor& picks, Tensor& y) = 0;
  /// w[k n + i, image · cells + cell] = Σ of c_k over the voxels that lie in both patch picks[k,i] and the cell of a grid of
  /// `cells` over each image, divided by the row's sum; a row of zeros where that is 0. w [K n, N · cells volume].
  virtual void patch_weights(const Extents& grid, const Extents& cells, const Tensor& c, const Tensor& picks, Tensor& w) = 0;

  // --- keys (III-C): B = K n anchors, class after class -----------------------------------------------------------------
  /// The n slots of other classes' keys with the largest score[b, k S + s], of equals the lower; those with affinity <=
  /// theta (of ring's dtype) first, both groups by slot. allowed = how many those are, or found if they are fewer than two.
  virtual void closest_keys(const KeyRing& ring, const Tensor& theta, const Tensor& score, Closest& closest) = 0;
  /// y[b,h] = (w n_i + (1 - w) n_j) / |…|: n_i drawn evenly from the allowed slots (word 3 (b H + h) of key.now(), as
  /// floor(unit · allowed)), n_j from those found (the next word), w as said (random: unit of the third). 0 where found = 0.
  virtual void mixtures(MixWeight w, const engine::RandomKey& key, const KeyRing& ring, const Closest& closest,
                        Tensor& y) = 0;
  /// w[b,r] = a_b / (counted[k] Σ a) where b and r are both among the first counted[k] of class k's n rows, else 0; a_b = 1
  /// for such anchors of classes whose others' rings hold at least `least` keys. All 0 without any. w [K n, K n].
  virtual void contrast_weights(std::int64_t least, const Tensor& counted, const KeyRing& ring, Tensor& w) = 0;
  /// mask [K n, K S]: 0 at keys of other classes, -1e30 elsewhere
  virtual void other_classes(const KeyRing& ring, Tensor& mask) = 0;
  /// Stores the first counted[k] of class k's n rows of keys [K n, dim] with affinity[picks[k,i]]; the oldest make room.
  virtual void store_keys(const Tensor& keys, const Tensor& picks, const Tensor& counted, const Tensor& affinity,
                          const Tensor& gate, KeyRing& ring) = 0;
  /// state [2] = θ and whether it was ever moved (0, 1): θ ← clamp(decay θ + (1 - decay) median, low, high); with
  /// `from_first` decay is 0 the first time. Unchanged where median [1] is NaN.
  virtual void move_threshold(double decay, bool from_first, double low, double high, const Tensor& median,
                              const Tensor& gate, Tensor& state) = 0;
};

/// The paper's kernels of a device: the CPU's are built in, a GPU's come with its plugin. DeviceError for any other.
PaperBackend& paper_backend(engine::Device device);

/// For devices that are no plugin's.
void register_paper_backend(engine::Device device, PaperBackend& backend);

}  // namespace sagcl::semiagcl
