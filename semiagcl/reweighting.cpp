#include "semiagcl/reweighting.h"

#include "ops/layout.h"
#include "ops/matmul.h"
#include "ops/reduce.h"
#include "semiagcl/contrastive_loss.h"
#include "semiagcl/hard_negatives.h"

namespace sagcl::semiagcl {

using engine::require;
using engine::Type;
using engine::UsageError;

namespace {

/// Rows begin … begin + count - 1 of a tensor [R, dim].
Tensor rows(const Tensor& x, std::int64_t begin, std::int64_t count) {
  return ops::slice(Variable(x), 0, begin, count).value();
}

/// A run of picks of one class.
struct Run { std::int64_t label, begin, count; };

std::vector<Run> runs_of(const std::vector<Pick>& picks) {
  std::vector<Run> runs;
  for (std::size_t r = 0; r < picks.size(); ++r) {
    if (runs.empty() || runs.back().label != picks[r].label) {
      for (const Run& run : runs)
        require<UsageError>(run.label != picks[r].label, "picks of class {} are not together; they must come class by class",
                            run.label);
      runs.push_back({picks[r].label, std::int64_t(r), 0});
    }
    ++runs.back().count;
  }
  return runs;
}

}  // namespace

Variable reweighted_loss(const Variable& q, const Tensor& keys, const std::vector<Pick>& picks, const MemoryBank& bank,
                         const Method& m, engine::Generator& random) {
  require(q.shape().rank() == 2 && q.shape() == keys.shape() && q.shape()[0] == std::int64_t(picks.size()),
          "reweighted_loss: q {} and keys {} must be [{}, dim], one row per pick", q.shape(), keys.shape(), picks.size());
  std::vector<Variable> losses;
  for (const Run& run : runs_of(picks)) {
    const MemoryBank::Keys others = bank.other_classes(run.label);
    if (others.keys.shape()[0] < m.min_negatives) continue;
    const Variable anchors = ops::slice(q, 0, run.begin, run.count);
    std::vector<std::int64_t> all;
    for (std::int64_t r = 0; r < run.count; ++r) all.push_back(r);
    Contrast contrast;
    contrast.keys = rows(keys, run.begin, run.count);
    contrast.positives.assign(std::size_t(run.count), all);
    contrast.own = hard_negatives(anchors.value(), others, bank.threshold(), m, random);
    // Departs from the paper only if asked to: Eq. 7's denominator holds H alone, MoCHi keeps the queue beside it.
    if (m.append_queue) contrast.shared = others.keys;
    contrast.tau = m.tau;
    losses.push_back(contrastive_losses(anchors, contrast));  // one loss per anchor
  }
  if (losses.empty()) return {};
  return ops::mean(losses.size() == 1 ? losses[0] : ops::concat(losses, 0));
}

void remember(MemoryBank& bank, const Tensor& keys, const std::vector<Pick>& picks, const std::vector<double>& affinity) {
  for (const Run& run : runs_of(picks)) {
    std::vector<double> a;
    for (std::int64_t r = run.begin; r < run.begin + run.count; ++r) {
      const std::int64_t patch = picks[std::size_t(r)].patch;
      require<UsageError>(patch >= 0 && patch < std::int64_t(affinity.size()),
                          "remember: patch {} has no affinity, there are {}", patch, affinity.size());
      a.push_back(affinity[std::size_t(patch)]);
    }
    bank.push(run.label, rows(keys, run.begin, run.count), a);
  }
}

Variable roi_features(const Variable& bottleneck, const Tensor& class_map, const Extents& grid,
                      const std::vector<Pick>& picks) {
  const engine::Shape &f = bottleneck.shape(), &c = class_map.shape();
  const std::int64_t per_image = patches_per_image(c, grid), K = c[4];
  require(f.rank() == 5 && f[0] == c[0], "roi_features: bottleneck {} and class map {} hold different batches", f, c);
  const Extents size{{c[1], c[2], c[3]}}, cells{{f[1], f[2], f[3]}};
  const Tensor map = class_map.to(engine::Device::cpu());
  const std::int64_t columns = f[0] * cells.volume();
  std::vector<double> weight(picks.size() * std::size_t(columns), 0.0);
  visit_float(map.dtype(), [&]<class T>(Type<T>) {
    for (std::size_t r = 0; r < picks.size(); ++r) {
      Extents at, p;
      const std::int64_t image = picks[r].patch / per_image;
      require<UsageError>(image < c[0] && picks[r].label < K, "roi_features: no patch {} of class {}", picks[r].patch,
                          picks[r].label);
      engine::split(picks[r].patch % per_image, grid, at);
      double* row = weight.data() + r * std::size_t(columns);
      double total = 0;
      for (p[0] = at[0] * size[0] / grid[0]; p[0] < (at[0] + 1) * size[0] / grid[0]; ++p[0])
        for (p[1] = at[1] * size[1] / grid[1]; p[1] < (at[1] + 1) * size[1] / grid[1]; ++p[1])
          for (p[2] = at[2] * size[2] / grid[2]; p[2] < (at[2] + 1) * size[2] / grid[2]; ++p[2]) {
            const double w = map.data<T>()[engine::join(image, p, size) * K + picks[r].label];
            const Extents cell{{p[0] * cells[0] / size[0], p[1] * cells[1] / size[1], p[2] * cells[2] / size[2]}};
            row[engine::join(image, cell, cells)] += w, total += w;
          }
      if (total > 0)
        for (std::int64_t i = 0; i < columns; ++i) row[i] /= total;
    }
  });
  const Tensor w = Tensor::of({std::int64_t(picks.size()), columns}, weight)
                       .to(bottleneck.value().dtype())
                       .to(bottleneck.value().device());
  return ops::matmul(Variable(w), ops::reshape(bottleneck, {columns, f[4]}));
}

}  // namespace sagcl::semiagcl
