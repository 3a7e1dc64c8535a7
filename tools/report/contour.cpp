#include "tools/report/contour.h"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "tools/report/html.h"

namespace sagcl::tools {

namespace {

struct Side {
  std::int64_t x0, y0, x1, y1;
};  // from corner to corner, the class on the left

std::vector<Side> sides_of(const ClassPlane& p, std::uint8_t which) {
  std::vector<Side> sides;
  for (std::int64_t y = 0; y < p.height; ++y)
    for (std::int64_t x = 0; x < p.width; ++x) {
      if (p.at(y, x) != which) continue;
      if (p.at(y - 1, x) != which) sides.push_back({x + 1, y, x, y});
      if (p.at(y + 1, x) != which) sides.push_back({x, y + 1, x + 1, y + 1});
      if (p.at(y, x - 1) != which) sides.push_back({x, y, x, y + 1});
      if (p.at(y, x + 1) != which) sides.push_back({x + 1, y + 1, x + 1, y});
    }
  return sides;
}

}  // namespace

std::vector<Points> loops_around(const ClassPlane& plane, std::uint8_t which) {
  const std::vector<Side> sides = sides_of(plane, which);
  std::multimap<std::pair<std::int64_t, std::int64_t>, std::size_t> starting;  // corner -> sides that leave it
  for (std::size_t i = 0; i < sides.size(); ++i) starting.insert({{sides[i].x0, sides[i].y0}, i});

  std::vector<Points> loops;
  while (!starting.empty()) {
    std::size_t current = starting.begin()->second;
    starting.erase(starting.begin());
    const std::size_t first = current;
    Points& loop = loops.emplace_back();
    for (;;) {
      const Side& s = sides[current];
      loop.push_back({double(s.x0 + s.x1) / 2, double(s.y0 + s.y1) / 2});
      const auto next = starting.find({s.x1, s.y1});
      if (next == starting.end()) break;  // back at the first side
      current = next->second;
      starting.erase(next);
      if (current == first) break;
    }
  }
  return loops;
}

std::string outline(const ClassPlane& plane, std::uint8_t which) {
  std::string path;
  for (const Points& loop : loops_around(plane, which)) {
    char letter = 'M';
    for (const auto& [x, y] : loop) path += fmt::format("{}{} {}", std::exchange(letter, 'L'), coordinate(x), coordinate(y));
    path += "Z";
  }
  return path;
}

}  // namespace sagcl::tools
