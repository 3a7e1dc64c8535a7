#include <fmt/format.h>

#include <algorithm>

#include "ops/layout.h"
#include "ops/matmul.h"
#include "ops/reduce.h"
#include "semiagcl/hard_negatives.h"
#include "semiagcl/sampling.h"
#include "tools/ideas.h"
#include "tools/picture.h"

namespace sagcl::tools {

using autograd::Variable;
using semiagcl::MemoryBank;
using semiagcl::Method;
using semiagcl::Mixing;

namespace {

constexpr int width = 440, height = 270;
constexpr std::int64_t gland = 1;

/// The student's embeddings of the Top-n patches of class gland, unit vectors [B, dim]. The patches of all classes pass
/// together, as in training: batch norm would otherwise take away what glands have in common.
Tensor anchors(Subject& s) {
  const Method& m = s.settings.method;
  const Tensor map = probabilities(*s.teacher, s.training);
  const auto chosen =
      class_centric_patches(sampling_score(s.training, map, m), semiagcl::patch_confidence(map, m.patch_grid), m);
  const Tensor patches = attended_patches(noisy(s.training, 0.05), map, m.patch_grid, semiagcl::picks_of(chosen));
  const layers::Pass pass{.training = true, .update_statistics = false, .dropout = false};
  const Variable q = s.head->forward(ops::global_average_pool(s.student->encode(Variable(patches), pass)), pass);
  return ops::slice(q, 0, std::int64_t(chosen[0].size()), std::int64_t(chosen[gland].size())).value();
}

/// q·n for anchors [B,dim] with their own negatives [B,M,dim].
std::vector<double> similarities(const Tensor& q, const Tensor& negatives) {
  const Variable rows(q.reshape({q.shape()[0], 1, q.shape()[1]}));
  return ops::matmul(rows, Variable(negatives), {.transpose_b = true}).value().to_doubles();
}

/// The values in rising order, at every per cent of them.
Series sorted(const char* name, std::size_t colour, std::vector<double> values) {
  std::sort(values.begin(), values.end());
  Series series{.name = name, .colour = palette()[colour], .points = {}};
  for (std::size_t p = 0; p <= 100; ++p) series.points.push_back({double(p), values[p * (values.size() - 1) / 100]});
  return series;
}

}  // namespace

IdeaPicture hard_negatives_picture(Subject& s) {
  const MemoryBank::Keys others = s.bank->other_classes(gland);
  const Tensor q = anchors(s);
  const Tensor all = ops::matmul(Variable(q), Variable(others.keys), {.transpose_b = true}).value();

  std::vector<double> closest;
  const std::int64_t M = others.keys.shape()[0];
  const auto rows = semiagcl::closest_keys(q, others.keys, s.settings.method.n_closest);
  for (std::size_t b = 0; b < rows.size(); ++b)
    for (std::int64_t r : rows[b]) closest.push_back(double(all.data<float>()[std::int64_t(b) * M + r]));

  Chart chart{.title = "Similarity q · n of anchors of class gland to their negatives",
              .x_label = "% of the negatives, least similar first",
              .y_label = "",
              .series = {sorted("all keys", 7, all.to_doubles()), sorted("closest", 5, closest)},
              .marks = {},
              .width = width,
              .height = height};
  const std::pair<const char*, Mixing> mixings[] = {{"mixed, A_ii", Mixing::affinity}, {"mixed, 1:1", Mixing::one_to_one}};
  for (std::size_t k = 0; k < 2; ++k) {
    Method m = s.settings.method;
    m.mixing = mixings[k].second;
    engine::Generator random(0, "hard negatives of the picture");
    chart.series.push_back(
        sorted(mixings[k].first, k, similarities(q, hard_negatives(q, others, s.bank->threshold(), m, random))));
  }

  const double theta = s.bank->threshold();
  const Chart stored{.title = "Affinities A_ii stored with the keys; dashed: θ",
                     .x_label = fmt::format("A_ii (θ = {:.2f})", theta),
                     .y_label = "%",
                     .series = {distribution("of background", palette()[0], others.affinity, 0.5, 1, 25),
                                distribution("of gland", palette()[1], s.bank->of(gland).affinity, 0.5, 1, 25)},
                     .from_zero = true,
                     .marks = {{theta, ""}},
                     .width = width,
                     .height = height};
  return {"hard-negatives.svg",
          picture("Similarity of anchors to stored, closest and mixed negatives; stored affinities", 2 * width + 20,
                  height + 16, {{8, 8, line_chart(chart)}, {12 + width, 8, line_chart(stored)}})};
}

}  // namespace sagcl::tools
