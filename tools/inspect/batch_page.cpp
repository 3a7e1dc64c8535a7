#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ops/nuclear_norm.h"
#include "ops/reduce.h"
#include "ops/softmax.h"
#include "semiagcl/training/phase.h"
#include "tools/ideas/picture.h"
#include "tools/inspect/batch_view.h"
#include "tools/report/heat_map.h"
#include "tools/report/html.h"
#include "tools/report/overlay.h"
#include "tools/report/patch_picture.h"
#include "tools/report/report.h"

// The page of sagcl-inspect batch: a section per idea of the method.
namespace sagcl::tools {
namespace {

using engine::Dtype;

constexpr double picture_side = 160;

/// One sample of a batch tensor, without its first extent.
Tensor sample(const Tensor& batch, std::int64_t i) {
  const engine::Shape& s = batch.shape();
  return semiagcl::samples(batch, i, 1).reshape(engine::Shape(std::vector<std::int64_t>(s.begin() + 1, s.end())));
}

/// Classes as u8; what is below 0 (not annotated, not sure) becomes background.
Tensor as_mask(const Tensor& labels) {
  const std::vector<double> values = labels.to_doubles();
  Tensor mask = Tensor::empty(labels.shape(), Dtype::u8);
  for (std::size_t i = 0; i < values.size(); ++i) mask.data<std::uint8_t>()[i] = std::uint8_t(std::max(0.0, values[i]));
  return mask;
}

/// The most likely classes of sample i of logits or probabilities [N,D,H,W,K].
Tensor most_likely(const Tensor& scores, std::int64_t i) { return as_mask(sample(ops::most_likely(scores), i)); }

/// A picture with a line under it.
std::string figure(double width, double height, const std::string& svg, const std::string& caption) {
  return fmt::format(
      "<figure><svg viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" font-size=\"12\" fill=\"#1d2430\">{2}</svg>"
      "<figcaption>{3}</figcaption></figure>\n",
      coordinate(width), coordinate(height), svg, escaped(caption));
}

/// Figures that belong together; charts and matrices on white.
std::string group(const std::string& figures) { return "<div class=\"figures\">" + figures + "</div>\n"; }
std::string light(const std::string& figures) { return "<div class=\"figures light\">" + figures + "</div>\n"; }

class Page {
 public:
  Page(const BatchView& view, std::int64_t most) : view_(view), seen_(view.seen), most_(most) {
    const engine::Shape& s = seen_.batch.weak.shape();
    plane_ = s[1] / 2;
    height_ = picture_side * double(s[2]) / double(s[3]);
  }

  std::string html() {
    std::string body = "<style>.light svg { background:#fff; border:1px solid var(--line); }</style>";
    body += "<h1>The batch of a step</h1><p class=\"quiet\">" + escaped(view_.about) + "</p>\n";
    if (plane_ > 0) body += fmt::format("<p>Of the volumes the plane z = {} of each crop is shown.</p>", plane_);
    body += samples() + student() + teacher() + patches() + graphs() + negatives();
    return html_page("The batch of a step", body);
  }

 private:
  /// The image, with areas and lines of classes on it.
  std::string picture_of(const Tensor& images, std::int64_t i, const Tensor& areas = {}, const Tensor& lines = {}) const {
    const Tensor image = screen_colours(sample(images, i));
    std::string svg =
        fmt::format("<image href=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\"/>",
                    png_data_uri(plane_png(image, 0, image.shape()[0] / 2)), coordinate(picture_side), coordinate(height_));
    if (areas.defined()) svg += class_layer(plane_of(areas, 0, areas.shape()[0] / 2), picture_side, height_, true);
    if (lines.defined()) svg += class_layer(plane_of(lines, 0, lines.shape()[0] / 2), picture_side, height_, false);
    return svg;
  }

  std::string panel(const std::string& svg, const std::string& caption) const {
    return figure(picture_side, height_, svg, caption);
  }

  std::string section(const std::string& title, const std::string& text, const std::string& content) const {
    return "<section><h2>" + escaped(title) + "</h2><p>" + escaped(text) + "</p>\n" + content + "</section>\n";
  }

  /// So many of n are drawn; what is left out is said.
  std::int64_t drawn(std::int64_t n, std::string& text) const {
    if (n > most_) text += fmt::format(" {} of {} are shown.", most_, n);
    return std::min(n, most_);
  }

  /// The box of sample i, as dashes.
  std::string mask_line(std::int64_t i) const {
    const Tensor m = sample(seen_.batch.mask, i);
    Tensor box = Tensor::zeros(m.shape(), Dtype::u8);
    for (std::int64_t v = 0; v < m.size(); ++v) box.data<std::uint8_t>()[v] = m.data<float>()[v] == 0;
    const ClassPlane plane = plane_of(box, 0, plane_);
    return fmt::format(
        "<g transform=\"scale({:.5f} {:.5f})\"><path d=\"{}\" fill=\"none\" stroke=\"#fff\" stroke-width=\"1.5\" "
        "stroke-dasharray=\"5 4\" vector-effect=\"non-scaling-stroke\"/></g>",
        picture_side / double(plane.width), height_ / double(plane.height), outline(plane, 1));
  }

  std::string samples() const {
    const datasets::Batch& batch = seen_.batch;
    std::string text = "Every sample in its weak view, which the teacher sees, and its strong view; areas are labels.";
    if (batch.mask.defined()) text += " Dashed: the box where the mask M is 0.";
    const std::int64_t n = drawn(std::int64_t(batch.ids.size()), text);
    std::string figures;
    for (std::int64_t i = 0; i < n; ++i) {
      const bool labelled = i < batch.labelled;
      const Tensor label = labelled ? as_mask(sample(batch.label, i)) : Tensor();
      const std::string box = labelled && batch.mask.defined() ? mask_line(i) : "";
      const std::string& id = batch.ids[std::size_t(i)];
      figures +=
          group(panel(picture_of(batch.weak, i, label) + box, fmt::format("{}: {}", i, id)) +
                panel(picture_of(batch.strong, i, label) + box, labelled ? "strong, labelled" : "strong, unlabelled"));
    }
    return section("Samples", text, "<div class=\"figures\">" + figures + "</div>");
  }

  std::string student() const {
    const Tensor images = seen_.find("student.image"), logits = seen_.find("student.logits"), map = seen_.find("C");
    if (!images.defined() || !logits.defined()) return "";
    const bool compared = map.defined() && map.shape() == logits.shape();
    std::string text = "The images of the student's first forward pass; lines are what it says.";
    if (compared) text += " Areas are the class map C: the truth where it is known, else the teacher's opinion.";
    const std::int64_t n = drawn(images.shape()[0], text);
    std::string figures;
    for (std::int64_t i = 0; i < n; ++i)
      figures += panel(picture_of(images, i, compared ? most_likely(map, i) : Tensor(), most_likely(logits, i)),
                       fmt::format("image {}", i));
    return section("Student", text, "<div class=\"figures\">" + figures + "</div>");
  }

  std::string teacher() const {
    const Tensor images = seen_.find("teacher.image"), p = seen_.find("teacher.probabilities"),
                 pseudo = seen_.find("pseudo_labels");
    if (!images.defined() || !p.defined()) return "";
    std::string text = "Lines are what the teacher says; beside it how unsure it is, 1 - max p, from 0 (white) to 1/2.";
    const bool labels = pseudo.defined() && pseudo.shape()[0] == p.shape()[0];
    if (labels) text += " Areas are the pseudo-labels that count.";
    const std::int64_t n = drawn(images.shape()[0], text);
    std::string figures;
    for (std::int64_t i = 0; i < n; ++i) {
      const Tensor of_sample = sample(p, i);
      const engine::Shape& s = of_sample.shape();
      const std::int64_t K = s[3], pixels = s[1] * s[2], first = s[0] / 2 * pixels;
      const std::vector<double> values = of_sample.to_doubles();
      std::vector<double> unsure;
      for (std::int64_t v = first; v < first + pixels; ++v)
        unsure.push_back(2 * (1 - *std::max_element(values.begin() + v * K, values.begin() + (v + 1) * K)));
      std::string caption = fmt::format("image {}", i);
      if (labels) {
        const std::vector<double> one = sample(pseudo, i).to_doubles();
        const auto out = std::count_if(one.begin(), one.end(), [](double v) { return v < 0; });
        if (out > 0) caption += fmt::format(", {:.1f} % not sure enough", 100 * double(out) / double(one.size()));
      }
      figures +=
          group(panel(picture_of(images, i, labels ? as_mask(sample(pseudo, i)) : Tensor(), most_likely(p, i)), caption) +
                panel(shaded(unsure, std::size_t(s[2]), picture_side, height_, Shades::amount, 1), "unsure"));
    }
    return section("Teacher", text, "<div class=\"figures\">" + figures + "</div>");
  }

  /// The class's score in the middle of each patch of the plane, and a frame around those that are picked.
  std::string patch_marks(std::int64_t image, std::int64_t k) const {
    const Tensor score = seen_.find("score"), picks = seen_.find("picks"), counted = seen_.find("counted");
    const std::vector<double> values = score.to_doubles(), patch = picks.to_doubles(), counts = counted.to_doubles();
    const engine::Extents& grid = view_.method.patch_grid;
    const std::int64_t P = score.shape()[1], K = score.shape()[2], n = picks.shape()[1];
    const std::int64_t first = grid[0] / 2 * grid[1] * grid[2];  // of the plane's layer
    const PatchGrid plane{grid[1], grid[2], picture_side, height_};
    std::vector<std::string> words;
    std::vector<std::vector<std::int64_t>> marked(2);  // what only fills up, what counts
    for (std::int64_t p = 0; p < plane.rows * plane.columns; ++p) {
      words.push_back(fmt::format("{:.2f}", values[std::size_t((image * P + first + p) * K + k)]));
      const auto begin = patch.begin() + k * n, found = std::find(begin, begin + n, double(image * P + first + p));
      if (found != begin + n) marked[double(found - begin) < counts[std::size_t(k)]].push_back(p);
    }
    return patch_lines(plane) + words_in_patches(words, plane) + patch_frames(marked, plane, {"#bbb", "#ffa41b"});
  }

  std::string patches() const {
    const Tensor images = seen_.find("X"), score = seen_.find("score");
    if (!images.defined() || !score.defined()) return "";
    static constexpr const char* names[] = {"entropy (Eq. 1)", "mean confidence", "cosine"};
    std::string text = fmt::format(
        "The patches' {} for each class. Orange: among the Top-n of the batch that stand for the class, anchors of L_RW; "
        "light grey: only fills up its rows.",
        names[std::size_t(view_.method.score)]);
    const std::int64_t K = score.shape()[2], n = drawn(images.shape()[0], text);
    std::string figures;
    for (std::int64_t i = 0; i < n; ++i) {
      std::string classes;
      for (std::int64_t k = 0; k < K; ++k)
        classes +=
            panel(picture_of(images, i) + patch_marks(i, k), fmt::format("image {}: {}", i, view_.classes[std::size_t(k)]));
      figures += group(classes);
    }
    return section("Patches", text, "<div class=\"figures\">" + figures + "</div>");
  }

  std::string graphs() const {
    const Tensor a = seen_.find("A");
    if (!a.defined()) return "";
    // U V^T, the subgradient of the nuclear norm
    autograd::Variable parameter = autograd::Variable::parameter(a.clone());
    {
      autograd::Tape tape;
      tape.backward(ops::sum(ops::nuclear_norm(parameter, {.drop = view_.method.drop})));
    }
    const std::vector<double> all = a.to_doubles(), polar = parameter.grad().to_doubles(),
                              values = ops::singular_values(a).to_doubles();
    const std::int64_t G = a.shape()[0], P = a.shape()[1];
    std::string text =
        "Eq. 2: how like the student's patch j (column) the teacher's patch i (row) is; its singular values, whose sum is "
        "the nuclear norm; and U Vᵀ, the norm's subgradient, from -1 (orange) to 1 (blue).";
    const std::int64_t n = drawn(G, text);
    std::string figures;
    for (std::int64_t g = 0; g < n; ++g) {
      const auto matrix = [&](const std::vector<double>& v) {
        return std::vector<double>(v.begin() + g * P * P, v.begin() + (g + 1) * P * P);
      };
      Series series{"", palette()[0], {}};
      double norm = 0, trace = 0;
      for (std::int64_t i = 0; i < P; ++i) {
        series.points.emplace_back(double(i + 1), values[std::size_t(g * P + i)]);
        norm += values[std::size_t(g * P + i)], trace += all[std::size_t((g * P + i) * P + i)];
      }
      const Chart chart{.title = "singular values",
                        .x_label = "",
                        .y_label = "",
                        .series = {series},
                        .from_zero = true,
                        .marks = {},
                        .width = 200,
                        .height = int(picture_side)};
      figures += group(figure(picture_side, picture_side, shaded(matrix(all), std::size_t(P), picture_side, picture_side),
                              fmt::format("A of graph {}", g)) +
                       figure(picture_side, picture_side,
                              shaded(matrix(polar), std::size_t(P), picture_side, picture_side, Shades::direction), "U Vᵀ") +
                       fmt::format("<figure>{}<figcaption>‖A‖_* = {:.3f}, tr A = {:.3f}</figcaption></figure>\n",
                                   line_chart(chart), norm, trace));
    }
    return section("Affinity graph", text, light(figures));
  }

  std::string negatives() const {
    const Tensor q = seen_.find("q"), k = seen_.find("k"), h = seen_.find("H"), closest = seen_.find("closest"),
                 allowed = seen_.find("allowed"), bank = seen_.find("bank.affinity"), counted = seen_.find("counted");
    if (!q.defined() || !h.defined() || !closest.defined()) return "";
    const std::int64_t B = q.shape()[0], dim = q.shape()[1], M = h.shape()[1], K = counted.size(), n = B / K;
    const std::vector<double> anchors = q.to_doubles(), keys = k.to_doubles(), hard = h.to_doubles(),
                              slots = closest.to_doubles(), may = allowed.to_doubles(), stored = bank.to_doubles(),
                              counts = counted.to_doubles();
    const auto dot = [&](const double* a, const double* b) {
      double sum = 0;
      for (std::int64_t d = 0; d < dim; ++d) sum += a[d] * b[d];
      return sum;
    };
    std::vector<double> positive, negative, weights;
    for (std::int64_t b = 0; b < B; ++b) {
      const std::int64_t own = b / n;
      if (b % n >= std::int64_t(counts[std::size_t(own)])) continue;  // only fills up
      const double* anchor = anchors.data() + b * dim;
      for (std::int64_t r = own * n; r < own * n + std::int64_t(counts[std::size_t(own)]); ++r)
        positive.push_back(dot(anchor, keys.data() + r * dim));
      const std::int64_t width = closest.shape()[1];
      if (may[std::size_t(b)] == 0) continue;  // the bank holds no key of another class
      for (std::int64_t m = 0; m < M; ++m) negative.push_back(dot(anchor, hard.data() + (b * M + m) * dim));
      for (std::int64_t i = 0; i < std::int64_t(may[std::size_t(b)]); ++i)
        weights.push_back(stored[std::size_t(slots[std::size_t(b * width + i)])]);
    }
    if (positive.empty() || negative.empty())
      return section("Hard negatives", "The memory bank holds no keys of other classes yet.", "");
    constexpr int bins = 40;
    Chart similar{.title = "similarity to the anchors, % of pairs",
                  .x_label = "dot product",
                  .y_label = "",
                  .series = {distribution("positives q·k⁺", palette()[1], positive, -1, 1, bins),
                             distribution("hard negatives q·h", palette()[0], negative, -1, 1, bins)},
                  .marks = {}};
    Chart weight{.title = "mixing weights w of Eq. 6, % of the keys that may be n_i",
                 .x_label = "stored affinity A_ii",
                 .y_label = "",
                 .series = {distribution("", palette()[0], weights, 0, 1, bins)},
                 .marks = {{seen_.find("theta").item(), "θ"}}};
    std::string text =
        "Each anchor's positives are the teacher's keys of its class; its hard negatives are mixtures w n_i + (1 - w) n_j "
        "of "
        "the closest stored keys of other classes. n_i is drawn from those whose affinity lies at or below θ";
    text += view_.method.mixing == semiagcl::Mixing::affinity     ? ", and w is its affinity."
            : view_.method.mixing == semiagcl::Mixing::one_to_one ? "; w is 1/2 in this run."
                                                                  : "; w is random in this run.";
    return section("Hard negatives", text,
                   light("<figure>" + line_chart(similar) + "</figure><figure>" + line_chart(weight) + "</figure>"));
  }

  const BatchView& view_;
  const semiagcl::TensorWatch& seen_;
  std::int64_t most_, plane_ = 0;
  double height_ = picture_side;
};

}  // namespace

std::string batch_page(const BatchView& view, std::int64_t most) { return Page(view, most).html(); }

}  // namespace sagcl::tools
