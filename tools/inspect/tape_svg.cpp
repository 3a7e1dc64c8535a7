#include <algorithm>
#include <cmath>

#include "tools/inspect/tape_view.h"
#include "tools/programs/program.h"
#include "tools/report/html.h"

namespace sagcl::tools {
namespace {

constexpr double row = 40, box = 30, columns_width = 430, top = 52, lane = 9;

double middle(std::size_t entry) { return top + row * double(entry) + box / 2; }

/// An arrow that skips entries, in a lane at the side.
struct Skip {
  std::size_t from, to;
  std::size_t lane = 0;
};

/// The shortest get the lanes next to the boxes; two that overlap never share one.
std::vector<Skip> skips_of(const std::vector<TapeEntry>& entries) {
  std::vector<Skip> skips;
  for (std::size_t to = 0; to < entries.size(); ++to)
    for (const std::size_t from : entries[to].sources)
      if (from + 1 != to) skips.push_back({from, to});
  std::stable_sort(skips.begin(), skips.end(), [](const Skip& a, const Skip& b) { return a.to - a.from < b.to - b.from; });
  for (std::size_t i = 0; i < skips.size(); ++i)
    for (bool free = false; !free; skips[i].lane += !free)
      free = std::none_of(skips.begin(), skips.begin() + std::ptrdiff_t(i), [&](const Skip& other) {
        return other.lane == skips[i].lane && other.from < skips[i].to && skips[i].from < other.to;
      });
  return skips;
}

std::string drawn(const Skip& s) {
  const double x = 16 + columns_width + 14 + lane * double(s.lane), edge = 16 + columns_width, y = middle(s.from) + 5,
               end = middle(s.to) - 5;
  return fmt::format(
      "<path d=\"M{0} {1}H{2}Q{3} {1} {3} {4}V{5}Q{3} {6} {2} {6}H{7}\" fill=\"none\" stroke=\"#0072b2\" "
      "stroke-opacity=\".75\" stroke-width=\"1.3\" marker-end=\"url(#tip)\"/>\n",
      coordinate(edge), coordinate(y), coordinate(x - 5), coordinate(x), coordinate(y + 5), coordinate(end - 5),
      coordinate(end), coordinate(edge + 5));
}

}  // namespace

std::string tape_svg(const std::vector<TapeEntry>& entries, const std::string& title) {
  const std::vector<Skip> skips = skips_of(entries);
  std::size_t lanes = 0;
  double longest = 0;
  for (const Skip& s : skips) lanes = std::max(lanes, s.lane + 1);
  for (const TapeEntry& e : entries) longest = std::max(longest, e.forward + e.backward);
  const double all_width = 16 + columns_width + 30 + lane * double(lanes), height = top + row * double(entries.size()) + 8;
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\" "
      "font-family=\"system-ui, 'DejaVu Sans', sans-serif\" font-size=\"12\" fill=\"#1d2430\">\n<title>{2}</title>\n"
      "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" "
      "orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#0072b2\"/></marker></defs>\n"
      "<rect width=\"{0}\" height=\"{1}\" rx=\"8\" fill=\"#fff\"/>\n<text x=\"16\" y=\"20\" font-weight=\"600\">{2}</text>\n"
      "<text x=\"16\" y=\"38\" fill=\"#667085\">result, forward + backward, memory kept; the bar is the time</text>\n",
      coordinate(all_width), coordinate(height), escaped(title));
  for (const Skip& s : skips) out += drawn(s);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const TapeEntry& e = entries[i];
    const double y = top + row * double(i), share = longest > 0 ? (e.forward + e.backward) / longest : 0;
    if (std::find(e.sources.begin(), e.sources.end(), i - 1) != e.sources.end())
      out += fmt::format("<path d=\"M40 {}V{}\" stroke=\"#0072b2\" stroke-width=\"1.3\" marker-end=\"url(#tip)\"/>\n",
                         coordinate(y - row + box), coordinate(y - 1));
    out += fmt::format(
        "<rect x=\"16\" y=\"{0}\" width=\"{1}\" height=\"{2}\" rx=\"6\" fill=\"#f7f8fa\" stroke=\"#98a2b3\"/>"
        "<rect x=\"17\" y=\"{3}\" width=\"{4}\" height=\"4\" rx=\"2\" fill=\"#9ccbe6\"/>"
        "<text x=\"26\" y=\"{5}\" font-weight=\"600\">{6}</text>"
        "<text x=\"{7}\" y=\"{5}\" text-anchor=\"end\" fill=\"#475467\">{8}</text>\n",
        coordinate(y), coordinate(columns_width), coordinate(box), coordinate(y + box - 5),
        coordinate(share * (columns_width - 2)), coordinate(y + 17),
        escaped(e.module.empty() ? e.op
                : e.count > 1    ? e.module
                                 : e.module + " " + e.op),
        coordinate(16 + columns_width - 8),
        escaped(fmt::format("{}  {:.1f} + {:.1f} ms  {}", e.shape, e.forward, e.backward,
                            size_text(std::size_t(std::max<std::int64_t>(e.kept, 0))))));
  }
  return out + "</svg>\n";
}

}  // namespace sagcl::tools
