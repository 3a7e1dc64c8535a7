#include "semiagcl/sampling.h"

#include <algorithm>
#include <numeric>

namespace sagcl::semiagcl {

std::vector<std::int64_t> top_n(std::span<const double> score, std::int64_t n) {
  std::vector<std::int64_t> order(score.size());
  std::iota(order.begin(), order.end(), 0);
  n = std::clamp<std::int64_t>(n, 0, std::int64_t(order.size()));
  std::partial_sort(order.begin(), order.begin() + n, order.end(), [&](std::int64_t a, std::int64_t b) {
    const double x = score[std::size_t(a)], y = score[std::size_t(b)];
    return x > y || (x == y && a < b);
  });
  order.resize(std::size_t(n));
  return order;
}

std::int64_t capped_top_n(std::int64_t n, std::int64_t patches, double share) {
  // Departs from the paper: n = 20 is more than the patches of a small 3-D batch, where everything would be positive.
  return std::max<std::int64_t>(1, std::min(n, std::int64_t(share * double(patches))));
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

std::vector<std::vector<std::int64_t>> class_centric_patches(const Tensor& score, const Tensor& confidence,
                                                             const Method& m) {
  engine::require(score.shape().rank() == 3 && score.shape() == confidence.shape(),
                  "class_centric_patches: score {} and confidence {} must both be [N, patches, classes]", score.shape(),
                  confidence.shape());
  const std::int64_t patches = score.shape()[0] * score.shape()[1], K = score.shape()[2];
  const std::vector<double> s = score.to_doubles(), c = confidence.to_doubles();
  std::vector<std::vector<std::int64_t>> chosen(static_cast<std::size_t>(K));
  for (std::int64_t k = 0; k < K; ++k) {
    std::vector<std::int64_t> candidates;
    std::vector<double> values;
    for (std::int64_t p = 0; p < patches; ++p)
      if (c[std::size_t(p * K + k)] >= m.min_confidence)
        candidates.push_back(p), values.push_back(s[std::size_t(p * K + k)]);
    for (std::int64_t i : top_n(values, capped_top_n(m.top_n, patches, m.top_n_share)))
      chosen[std::size_t(k)].push_back(candidates[std::size_t(i)]);
  }
  return chosen;
}

std::vector<Pick> picks_of(const std::vector<std::vector<std::int64_t>>& by_class) {
  std::vector<Pick> picks;
  for (std::size_t k = 0; k < by_class.size(); ++k)
    for (std::int64_t p : by_class[k]) picks.push_back({p, std::int64_t(k)});
  return picks;
}

}  // namespace sagcl::semiagcl
