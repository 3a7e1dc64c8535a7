#pragma once
#include <cstdint>

#include "engine/extents.h"
#include "engine/tensor.h"

namespace sagcl::semiagcl {

using engine::Extents;
using engine::Tensor;

// Section III-A: what the paper calls the attended image X'^k = X ⊙ C^k, and the scores of its patches. Everything here
// only selects: nothing is differentiated, and it runs where the image lies. Patches are numbered n·P + p, image n of the
// batch and patch p of the P = grid volume patches of an image in row-major order, as ops::patches numbers its rows.
// DtypeError or DeviceError where image and class map differ in dtype or device.

/// Patches per image. ShapeError unless the extents of x [N,D,H,W,C] are divisible by the grid.
std::int64_t patches_per_image(const engine::Shape& x, const Extents& grid);

/// Robust range of each image, [N, 2]: percentiles `low` and `high` in percent (numpy's linear rule) of the mean over
/// channels.
Tensor robust_range(const Tensor& x, double low = 0.5, double high = 99.5);

/// x [N,D,H,W,C] -> [N,D,H,W,1]: mean over channels, moved to [0,1] by the robust range of its image and clamped.
/// A constant image becomes 0.
Tensor unit_range(const Tensor& x, double low = 0.5, double high = 99.5);

/// The two ways of 0 ln 0 in Eq. 1: x clamped to [1e-6, 1 − 1e-6] first, or 0 ln 0 = 0.
enum class EntropyForm { clamped, plain };

/// Eq. 1, the average patch entropy Ent^k: the mean over a patch of h(x c_k), h(v) = −v ln v − (1−v) ln(1−v).
/// image [N,D,H,W,C] in [0,1] (averaged over C), class map [N,D,H,W,K] -> [N, P, K] in nats.
Tensor patch_entropy(const Tensor& image, const Tensor& class_map, const Extents& grid,
                     EntropyForm form = EntropyForm::clamped);

/// The same of the class map alone, h(c_k): the form of PatchCL's released code.
Tensor patch_entropy_of_confidence(const Tensor& class_map, const Extents& grid, EntropyForm form = EntropyForm::clamped);

/// Mean class confidence of each patch: [N,D,H,W,K] -> [N, P, K]. Table V's "class confidence".
Tensor patch_confidence(const Tensor& class_map, const Extents& grid);

/// Table V's "cosine": similarity of the flattened attended patch x c_k (averaged over C) to that of the class's anchor, the
/// patch of the batch with the highest confidence in k (the first of equals). Similarity to or of an all-zero patch is 0.
Tensor patch_cosine(const Tensor& image, const Tensor& class_map, const Extents& grid);

/// The attended patches x c_k of picks i32 [K,n], n patch numbers for each class: image [N,D,H,W,C], class map [N,D,H,W,K]
/// -> [K·n, d,h,w, C], class after class. These are what the encoder reads: E_S(P_i^k). Errors as check_picks.
Tensor attended_patches(const Tensor& image, const Tensor& class_map, const Extents& grid, const Tensor& picks);

/// ShapeError unless picks is [K,n] for the K classes of a map, DtypeError unless it is i32; UsageError for a patch that
/// does not exist (read on the CPU only; elsewhere it would wait for the device).
void check_picks(const char* who, const Tensor& picks, const engine::Shape& class_map, const Extents& grid);

/// Labels i32 or u8 [N,D,H,W] -> one-hot [N,D,H,W,K] of `dtype` on the labels' device; −1 gives a row of zeros.
/// DataError naming label and voxel for any other value outside 0 … K − 1 (on the CPU only, as above).
Tensor one_hot(const Tensor& labels, std::int64_t n_classes, engine::Dtype dtype);

}  // namespace sagcl::semiagcl
