#include "tools/report/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tools/report/html.h"

namespace sagcl::tools {

const std::vector<std::string>& palette() {
  static const std::vector<std::string> colours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                   "#e69f00", "#56b4e9", "#7a5195", "#555555"};
  return colours;
}

std::vector<double> round_ticks(double low, double high, int count) {
  if (!(high > low)) return {low};
  const double raw = (high - low) / count, power = std::pow(10, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (double s : {1.0, 2.0, 5.0})
    if (raw <= s * power * 1.0001) {
      step = s * power;
      break;
    }
  std::vector<double> ticks;
  for (double k = std::ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; ++k) ticks.push_back(k == 0 ? 0 : k * step);
  return ticks;
}

namespace {

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
};

void widen(Range& r, double v) {
  if (std::isfinite(v)) r.low = std::min(r.low, v), r.high = std::max(r.high, v);
}

/// Means of at most `buckets` consecutive groups of points, so that a long run gives a small file.
Points thinned(const Points& all, std::size_t buckets) {
  if (all.size() <= buckets) return all;
  Points out;
  for (std::size_t b = 0; b < buckets; ++b) {
    const std::size_t begin = all.size() * b / buckets, end = all.size() * (b + 1) / buckets;
    double x = 0, y = 0;
    for (std::size_t i = begin; i < end; ++i) x += all[i].first, y += all[i].second;
    out.push_back({x / double(end - begin), y / double(end - begin)});
  }
  return out;
}

/// Centred running mean over a twentieth of the points.
Points running_mean(const Points& all) {
  const std::size_t half = all.size() / 40;
  std::vector<double> sum = {0}, count = {0};  // of the finite values before each position
  for (const auto& p : all) {
    const bool finite = std::isfinite(p.second);
    sum.push_back(sum.back() + (finite ? p.second : 0)), count.push_back(count.back() + finite);
  }
  Points out;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::size_t begin = i < half ? 0 : i - half, end = std::min(all.size(), i + half + 1);
    const double n = count[end] - count[begin];
    out.push_back({all[i].first, n > 0 ? (sum[end] - sum[begin]) / n : all[i].second});
  }
  return out;
}

/// The y range: all of the bold lines, and of faint ones the inner 98 per cent, so that a first spike does not flatten the
/// rest.
Range y_range(const Chart& chart) {
  Range r;
  for (const Series& s : chart.series) {
    std::vector<double> values;
    for (const auto& p : s.smooth ? running_mean(s.points) : s.points)
      if (std::isfinite(p.second)) values.push_back(p.second * chart.factor);
    if (values.empty()) continue;
    std::sort(values.begin(), values.end());
    const std::size_t cut = s.smooth ? values.size() / 50 : 0;
    widen(r, values[cut / 4]), widen(r, values[values.size() - 1 - cut]);
  }
  if (!std::isfinite(r.low)) return {0, 1};
  if (chart.from_zero) r.low = std::min(0.0, r.low);
  const double gap = r.high > r.low ? 0.06 * (r.high - r.low) : std::max(1e-3, 0.1 * std::abs(r.high));
  return {chart.from_zero && r.low == 0 ? 0 : r.low - gap, r.high + gap};
}

/// Where the plotting area lies and how numbers become positions in it.
struct Frame {
  double left = 52, right, top, bottom;
  Range x, y;
  double px(double v) const { return left + (v - x.low) / (x.high - x.low) * (right - left); }
  double py(double v) const { return bottom - (std::clamp(v, y.low, y.high) - y.low) / (y.high - y.low) * (bottom - top); }
};

Points placed(const Frame& f, const Points& points, double factor) {
  Points out;
  for (const auto& [x, y] : points) out.push_back({f.px(x), std::isfinite(y) ? f.py(y * factor) : y});
  return out;
}

using Anchor = Painter::Anchor;
constexpr const char* quiet = "#777";

void draw_axes(const Chart& chart, const Frame& f, Painter& to) {
  for (double t : round_ticks(f.y.low, f.y.high, 5)) {
    to.line({{f.left, f.py(t)}, {f.right, f.py(t)}}, {.colour = "#e6e6e6"});
    to.text(f.left - 6, f.py(t) + 3.5, fmt::format("{:g}", t), {.anchor = Anchor::end});
  }
  for (double t : round_ticks(f.x.low, f.x.high, 6))
    to.text(f.px(t), f.bottom + 15, fmt::format("{:g}", t), {.anchor = Anchor::middle});
  to.line({{f.left, f.bottom}, {f.right, f.bottom}}, {.colour = "#999"});
  to.text(f.right, f.bottom + 29, chart.x_label, {.anchor = Anchor::end, .colour = quiet});
  to.text(4, f.top - 8, chart.y_label, {.colour = quiet});
  for (const auto& [x, word] : chart.marks) {
    to.line({{f.px(x), f.top}, {f.px(x), f.bottom}}, {.colour = "#999", .dashed = true});
    to.text(f.px(x) + 4, f.top + 10, word, {.colour = quiet});
  }
}

void draw_legend(const Chart& chart, const Frame& f, Painter& to) {
  if (chart.series.size() < 2) return;
  double x = f.right;
  for (auto s = chart.series.rbegin(); s != chart.series.rend(); ++s) {
    x -= 6.6 * double(s->name.size()) + 26;
    to.line({{x, f.top - 12}, {x + 14, f.top - 12}}, {.colour = s->colour, .width = 3});
    to.text(x + 18, f.top - 8, s->name, {});
  }
}

}  // namespace

void draw(const Chart& chart, Painter& to) {
  Frame f{.right = double(chart.width) - 14, .top = 44, .bottom = double(chart.height) - 36, .x = {}, .y = y_range(chart)};
  std::size_t points = 0;
  for (const Series& s : chart.series)
    for (const auto& p : s.points) widen(f.x, p.first), points += std::isfinite(p.second);
  to.text(4, 14, chart.title, {.title = true});
  if (points == 0)
    return to.text(chart.width / 2.0, chart.height / 2.0, "no values in this run",
                   {.anchor = Anchor::middle, .colour = quiet});
  for (const auto& mark : chart.marks) widen(f.x, mark.first);
  for (const double x : chart.reached) widen(f.x, x);
  if (!(f.x.high > f.x.low)) f.x = {f.x.low - 1, f.x.high + 1};
  draw_axes(chart, f, to), draw_legend(chart, f, to);
  for (const Series& s : chart.series) {
    const bool faint = s.smooth && s.points.size() > 20;
    if (faint) to.line(placed(f, thinned(s.points, 300), chart.factor), {.colour = s.colour, .opacity = 0.3});
    const Points bold = faint ? thinned(running_mean(s.points), 200) : thinned(s.points, 400);
    to.line(placed(f, bold, chart.factor), {.colour = s.colour, .width = 2});
    if (!faint && s.points.size() <= 40)
      for (const auto& [x, y] : s.points)
        if (std::isfinite(y))
          to.dot(f.px(x), f.py(y * chart.factor), s.colour, fmt::format("{} {:g}: {:.4g}", s.name, x, y * chart.factor));
  }
}

std::string line_chart(const Chart& chart) {
  SvgPainter painter;
  draw(chart, painter);
  return fmt::format(
      "<svg class=\"chart\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\" "
      "aria-label=\"{2}\">{3}</svg>\n",
      chart.width, chart.height, escaped(chart.title), painter.svg());
}

namespace {

/// Room for a text of 13 pixels in a wide font (DejaVu Sans takes 8.6 a letter).
double room_for(const std::string& text) {
  constexpr double letter = 8.8;
  return letter * double(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));  // UTF-8
}

}  // namespace

std::string bar_chart(const std::string& title, const std::vector<Bar>& bars, double largest, int least_width) {
  double names = 0, texts = 0;
  for (const Bar& b : bars) names = std::max(names, room_for(b.name)), texts = std::max(texts, room_for(b.text));
  const double text = 8 + names + 10 + texts, left = text + 8;  // a narrow screen shows name and value, if not the whole bar
  const int width = std::max({least_width, int(left) + 208, int(room_for(title)) + 8});
  const double room = width - left - 8, line = 26;
  const double height = 24 + line * double(bars.size());
  std::string out = fmt::format(
      "<svg class=\"chart\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\" aria-label=\"{2}\">"
      "<text x=\"4\" y=\"14\" class=\"title\">{2}</text>",
      width, coordinate(height), escaped(title));
  double y = 24;
  for (const Bar& b : bars) {
    const auto place = [&](double value) {
      return left + (std::isfinite(value) && largest > 0 ? std::max(0.0, value / largest) * room : 0);
    };
    out += fmt::format(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>"
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"18\" rx=\"2\" fill=\"{}\"/>",
        coordinate(8 + names), coordinate(y + 13), escaped(b.name), coordinate(text), coordinate(y + 13), escaped(b.text),
        coordinate(left), coordinate(y), coordinate(place(b.value) - left), b.colour);
    for (const double p : b.points)
      out += fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"3.5\" fill=\"#1d2430\" stroke=\"#fff\"/>", coordinate(place(p)),
                         coordinate(y + 9));
    y += line;
  }
  return out + "</svg>\n";
}

}  // namespace sagcl::tools
