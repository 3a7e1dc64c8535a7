#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace sagcl::semiagcl {

using engine::Tensor;

// Section IV-A's metrics by MedPy's definitions (loli/medpy, metric/binary.py), computed in double on the host. A mask is u8
// or i32, non-zero = inside, [H,W] or [D,H,W]. Rank matters: in an image the surface has 4 neighbours, and a volume with
// D = 1 would be surface everywhere.

/// What to score when a mask is empty, where distances have no meaning.
///   published  as the compared repositories: an empty prediction scores 0, 0, 0, 0 (its zero distances flatter it)
///   undefined  Dice and Jaccard as below, distances NaN, left out of means
/// An empty truth under a non-empty prediction has no published rule: Dice and Jaccard 0, distances NaN in both.
enum class EmptyRule { published, undefined };

struct MetricSpec {
  std::array<double, 3> spacing{1, 1, 1};  ///< per axis of the mask (an image uses the last two); the field reports voxels
  EmptyRule empty = EmptyRule::published;
};

/// How well two masks agree, or a mean over such. Dice and Jaccard in 0 to 1.
struct Agreement {
  double dice = 0;     ///< 2 |A∩B| / (|A| + |B|); 1 when both are empty, except under `published`
  double jaccard = 0;  ///< |A∩B| / |A∪B|
  double hd95 = 0;     ///< 95th percentile (linear) of the distances of both surfaces together; symmetric
  double asd = 0;   ///< mean distance from the prediction's surface to the truth's: one-directional, what the field reports
  double assd = 0;  ///< mean over both surfaces together; the paper's words "Average Symmetric Distance"
};

/// What there is to say of one prediction against one truth.
struct CaseScores : Agreement {
  double hd = 0;  ///< largest distance
  bool empty_prediction = false, empty_truth = false;
};

/// ShapeError unless both masks have one shape of rank 2 or 3; UsageError for a spacing that is not positive.
CaseScores score(const Tensor& prediction, const Tensor& truth, const MetricSpec& spec = {});

/// Dice alone, which takes no distances; 1 when both masks are empty. Errors as above.
double dice(const Tensor& prediction, const Tensor& truth);

/// The mask of one class of a label map: u8, 1 where label == k.
Tensor mask_of(const Tensor& labels, std::int64_t k);

/// Voxels of the mask with a face neighbour outside it; voxels on the array's edge count. u8 of the same shape.
Tensor surface(const Tensor& mask);

/// Distances from every surface voxel of `from`, in row-major order, to the nearest surface voxel of `to`.
/// UsageError when either mask is empty.
std::vector<double> surface_distances(const Tensor& from, const Tensor& to, const MetricSpec& spec = {});

/// numpy's linear percentile as ops::quantiles has it, q in percent; UsageError for no values.
double percentile(const std::vector<double>& values, double q);

}  // namespace sagcl::semiagcl
