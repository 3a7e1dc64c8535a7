#include "semiagcl/sampling.h"

#include <algorithm>

#include "ops/selection.h"

namespace sagcl::semiagcl {

std::int64_t capped_top_n(std::int64_t n, std::int64_t patches, double share) {
  // Departs from the paper: n = 20 is more than the patches of a small 3-D batch, where everything would be positive.
  return std::clamp<std::int64_t>(std::min(n, std::int64_t(share * double(patches))), 1, patches);
}

Tensor sampling_score(const Tensor& image, const Tensor& class_map, const Method& m) {
  if (m.score == Score::confidence) return patch_confidence(class_map, m.patch_grid);
  if (m.score == Score::entropy && m.entropy_of_confidence) return patch_entropy_of_confidence(class_map, m.patch_grid);
  // Departs from the paper: Eq. 1 needs intensities in [0,1], and z-scored images are not; the robust range of each
  // image is used for the score only.
  const Tensor unit = unit_range(image, m.low_percentile, m.high_percentile);
  if (m.score == Score::cosine) return patch_cosine(unit, class_map, m.patch_grid);
  return patch_entropy(unit, class_map, m.patch_grid);
}

Picks class_centric_patches(const Tensor& score, const Tensor& confidence, const Method& m) {
  const engine::Shape& s = score.shape();
  engine::require(s.rank() == 3 && s == confidence.shape() && score.size() > 0,
                  "class_centric_patches: score {} and confidence {} must both be [N, patches, classes]", s,
                  confidence.shape());
  const std::int64_t patches = s[0] * s[1], K = s[2], n = capped_top_n(m.top_n, patches, m.top_n_share);
  const ops::TopRows top = ops::top_rows(score.reshape({patches, K}), confidence.reshape({patches, K}), m.min_confidence, n);
  return {top.picks, top.counted};
}

}  // namespace sagcl::semiagcl
