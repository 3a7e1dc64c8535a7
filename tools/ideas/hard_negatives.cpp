#include <fmt/format.h>

#include <algorithm>

#include "ops/layout.h"
#include "ops/matmul.h"
#include "ops/reduce.h"
#include "semiagcl/hard_negatives.h"
#include "tools/ideas/ideas.h"
#include "tools/ideas/picture.h"

namespace sagcl::tools {

using autograd::Variable;
using semiagcl::Method;
using semiagcl::Mixing;

namespace {

constexpr int width = 440, height = 270;
constexpr std::int64_t background = 0, gland = 1;

/// The student's embeddings of the Top-n patches of both classes, unit vectors [2 n, dim], and how many of the n patches of
/// class gland count. They pass together, as in training: batch norm would otherwise take away what glands have in common.
struct Anchors {
  Tensor q;
  std::int64_t n, counted;
};

Anchors anchors(Subject& s) {
  const Method& m = s.settings.method;
  const Tensor map = probabilities(*s.teacher, s.training);
  const semiagcl::Picks picks =
      class_centric_patches(sampling_score(s.training, map, m), semiagcl::patch_confidence(map, m.patch_grid), m);
  const Tensor patches = semiagcl::attended_patches(noisy(s.training, 0.05), map, m.patch_grid, picks.patch);
  const layers::Pass pass{.training = true, .update_statistics = false, .dropout = false};
  const Variable q = s.head->forward(ops::global_average_pool(s.student->encode(Variable(patches), pass)), pass);
  return {q.value(), picks.patch.shape()[1], picks.counted.data<std::int32_t>()[gland]};
}

/// Those rows of a tensor [2 n, …] that belong to the anchors of class gland.
Tensor of_glands(const Tensor& rows, const Anchors& a) {
  return ops::slice(Variable(rows), 0, gland * a.n, a.counted).value();
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
  const Anchors a = anchors(s);
  const semiagcl::KeyRing& ring = s.bank->ring();
  const std::int64_t slots = ring.affinity.size();
  const Tensor keys = ring.keys.reshape({slots, ring.keys.shape()[2]});
  const Tensor similarity = ops::matmul(Variable(a.q), Variable(keys), {.transpose_b = true}).value();
  const semiagcl::Closest found = closest_keys(a.q, *s.bank, s.settings.method.n_closest);

  std::vector<double> all, closest;
  for (std::int64_t b = gland * a.n; b < gland * a.n + a.counted; ++b) {
    const float* row = similarity.data<float>() + b * slots;
    all.insert(all.end(), row, row + s.bank->count(background));  // the first slots are of class background
    const std::int32_t* slot = found.slots.data<std::int32_t>() + b * found.slots.shape()[1];
    for (std::int64_t i = 0; i < found.count.data<std::int32_t>()[b]; ++i) closest.push_back(double(row[slot[i]]));
  }

  Chart chart{.title = "Similarity q · n of anchors of class gland to their negatives",
              .x_label = "% of the negatives, least similar first",
              .y_label = "",
              .series = {sorted("all keys", 7, all), sorted("closest", 5, closest)},
              .marks = {},
              .width = width,
              .height = height};
  const std::pair<const char*, Mixing> mixings[] = {{"mixed, A_ii", Mixing::affinity}, {"mixed, 1:1", Mixing::one_to_one}};
  for (std::size_t k = 0; k < 2; ++k) {
    Method m = s.settings.method;
    m.mixing = mixings[k].second;
    engine::Generator random(0, "hard negatives of the picture");
    const Tensor h = of_glands(hard_negatives(a.q, *s.bank, m, random), a);
    chart.series.push_back(sorted(mixings[k].first, k, similarities(of_glands(a.q, a), h)));
  }

  const double theta = s.bank->threshold();
  const Chart stored{.title = "Affinities A_ii stored with the keys; dashed: θ",
                     .x_label = fmt::format("A_ii (θ = {:.2f})", theta),
                     .y_label = "%",
                     .series = {distribution("of background", palette()[0], s.bank->of(background).affinity, 0.5, 1, 25),
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
