#include "semiagcl/reweighting.h"

#include "ops/layout.h"
#include "ops/matmul.h"
#include "ops/reduce.h"
#include "semiagcl/contrastive_loss.h"
#include "semiagcl/hard_negatives.h"

namespace sagcl::semiagcl {

using engine::require;

Variable reweighted_loss(const Variable& q, const Tensor& keys, const Picks& picks, const MemoryBank& bank, const Method& m,
                         engine::Generator& random) {
  const std::int64_t rows = picks.patch.size();
  require(q.shape().rank() == 2 && q.shape() == keys.shape() && q.shape()[0] == rows,
          "reweighted_loss: q {} and keys {} must be [{}, dim], one row per pick", q.shape(), keys.shape(), rows);
  // By value: H is constant, the gradient reaches q through the products alone.
  Contrast contrast{.keys = keys, .own = hard_negatives(q.value(), bank, m, random), .tau = m.tau};
  // The mean over all anchors of the mean over their positives, as weights.
  contrast.weights = Tensor::empty({rows, rows}, keys.dtype(), keys.device());
  paper_backend(keys.device()).contrast_weights(m.min_negatives, picks.counted, bank.ring(), contrast.weights);
  // Departs from the paper only if asked to: Eq. 7's denominator holds H alone, MoCHi keeps the queue beside it.
  if (m.append_queue) {
    contrast.shared = bank.ring().keys.reshape({bank.ring().affinity.size(), keys.shape()[1]});
    contrast.shared_mask = bank.other_classes(picks.patch.shape()[1]);
  }
  return ops::sum(contrastive_losses(q, contrast));
}

Variable roi_features(const Variable& bottleneck, const Tensor& class_map, const Extents& grid, const Tensor& picks) {
  const engine::Shape &f = bottleneck.shape(), &c = class_map.shape();
  require(f.rank() == 5 && c.rank() == 5 && f[0] == c[0],
          "roi_features: bottleneck {} and class map {} hold different batches", f, c);
  check_picks("roi_features", picks, c, grid);
  const Extents cells{{f[1], f[2], f[3]}};
  const std::int64_t columns = f[0] * cells.volume();
  Tensor w = Tensor::empty({picks.size(), columns}, bottleneck.value().dtype(), bottleneck.value().device());
  paper_backend(w.device()).patch_weights(grid, cells, class_map, picks, w);
  return ops::matmul(Variable(w), ops::reshape(bottleneck, {columns, f[4]}));
}

}  // namespace sagcl::semiagcl
