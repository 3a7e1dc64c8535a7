#include <fmt/format.h>

#include "layers/optimiser.h"
#include "ops/nuclear_norm.h"
#include "ops/softmax.h"
#include "semiagcl/affinity.h"
#include "semiagcl/affinity_loss.h"
#include "tools/ideas/ideas.h"
#include "tools/ideas/picture.h"

namespace sagcl::tools {

using autograd::Variable;
using semiagcl::AffinityGraph;

namespace {

constexpr int width = 440, height = 250;

AffinityGraph graph_under_noise(Subject& s, double deviation) {
  return semiagcl::affinity_graph(probabilities(*s.teacher, s.tile),
                                  Variable(probabilities(*s.teacher, noisy(s.tile, deviation))), s.settings.method);
}

/// The two halves of Eq. 3, divided by N.
struct Halves {
  double norm, trace;
};
Halves halves(const AffinityGraph& graph) {
  const double n = double(graph.a.shape()[1]);
  return {ops::nuclear_norm(graph.a).value().item() / n, ops::trace(graph.a).value().item() / n};
}

/// Both halves of Eq. 3 and their difference while the student, here a copy of the teacher, sees more and more noise.
Chart against_noise(Subject& s) {
  Chart chart{.title = "The loss while one of two equal networks sees noise",
              .x_label = "standard deviation of the noise",
              .y_label = "",
              .series = {{.name = "‖A‖* / N", .colour = palette()[0], .points = {}},
                         {.name = "tr A / N", .colour = palette()[2], .points = {}},
                         {.name = "difference", .colour = palette()[1], .points = {}}},
              .from_zero = true,
              .marks = {},
              .width = width,
              .height = height};
  for (int i = 0; i <= 20; ++i) {
    const double deviation = 0.02 * i;
    const Halves now = halves(graph_under_noise(s, deviation));
    const double values[] = {now.norm, now.trace, now.norm - now.trace};
    for (std::size_t k = 0; k < 3; ++k) chart.series[k].points.push_back({deviation, values[k]});
  }
  return chart;
}

Chart spectra(Subject& s) {
  Chart chart{.title = "Singular values of A",
              .x_label = "number",
              .y_label = "",
              .series = {},
              .from_zero = true,
              .marks = {},
              .width = width,
              .height = height};
  const double deviations[] = {0, 0.2, 0.4};
  for (std::size_t k = 0; k < 3; ++k) {
    Series series{.name = fmt::format("noise {}", deviations[k]), .colour = palette()[k], .points = {}};
    for (double v : ops::singular_values(graph_under_noise(s, deviations[k]).a.value()).to_doubles())
      series.points.push_back({double(series.points.size() + 1), v});
    chart.series.push_back(series);
  }
  return chart;
}

/// Free class scores instead of a student descend Eq. 3 from noise, once with equal weights and once with c_tr > c_nuc: how
/// far A_ii comes, and the difference of norm and trace.
std::pair<Chart, Chart> descents(Subject& s) {
  Chart diagonal{.title = "Descent of Eq. 3 from random scores: mean A_ii",
                 .x_label = "step of Adam",
                 .y_label = "",
                 .series = {},
                 .from_zero = true,
                 .marks = {},
                 .width = width,
                 .height = height};
  Chart difference = diagonal;
  difference.title = "The same descents: (‖A‖* − tr A) / N";
  const Tensor target = probabilities(*s.teacher, s.tile);
  for (const double c_nuc : {1.0, 0.5}) {
    semiagcl::Method m = s.settings.method;
    m.c_nuc = c_nuc, m.c_tr = 1;
    const Series empty{
        .name = fmt::format("c_nuc {}, c_tr 1", c_nuc), .colour = palette()[diagonal.series.size()], .points = {}};
    diagonal.series.push_back(empty), difference.series.push_back(empty);
    Tensor start = Tensor::empty_like(target);
    engine::Generator random(0, "scores of the descent");
    for (std::int64_t i = 0; i < start.size(); ++i) start.data<float>()[i] = float(2 * random.normal());
    Variable scores = Variable::parameter(start);
    layers::Adam adam({{"scores", &scores}});
    for (int step = 0; step <= 100; ++step) {
      autograd::Tape tape;
      const AffinityGraph graph = semiagcl::affinity_graph(target, ops::softmax(scores), m);
      const Halves now = halves(graph);
      diagonal.series.back().points.push_back({double(step), now.trace});
      difference.series.back().points.push_back({double(step), now.norm - now.trace});
      tape.backward(semiagcl::affinity_loss(graph.a, m));
      adam.step(0.1);
    }
  }
  return {diagonal, difference};
}

}  // namespace

IdeaPicture nuclear_norm_picture(Subject& s) {
  const auto [diagonal, difference] = descents(s);
  const Chart charts[] = {against_noise(s), spectra(s), diagonal, difference};
  std::vector<Piece> pieces;
  for (int i = 0; i < 4; ++i)
    pieces.push_back({8.0 + i % 2 * (width + 4), 8.0 + i / 2 * (height + 4), line_chart(charts[i])});
  return {"nuclear-norm.svg", picture("Eq. 3 against noise, singular values, and descents with two weights", 2 * width + 20,
                                      2 * height + 16, pieces)};
}

}  // namespace sagcl::tools
