#include "datasets/orientation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "datasets/affine.h"
#include "engine/extents.h"

namespace sagcl::datasets {

using engine::Extents;
using engine::require;

namespace {

constexpr const char* positive = "RAS";
constexpr const char* negative = "LPI";

/// Along which direction of the patient 0, 1, 2 a letter lies, and whether it grows that way; -1 for another letter.
struct Direction {
  int world = -1;
  bool grows = true;
};

Direction direction_of(char letter) {
  for (int i = 0; i < 3; ++i)
    if (letter == positive[i] || letter == negative[i]) return {i, letter == positive[i]};
  return {};
}

/// Axis `to` of the code (0 is x) is axis `from` of the voxels, backwards if `mirrored`.
struct Turn {
  std::array<int, 3> from;
  std::array<bool, 3> mirrored;
};

Turn turn_between(const std::string& now, const std::string& code) {
  Turn turn = {};
  for (std::size_t to = 0; to < 3; ++to)
    for (std::size_t from = 0; from < 3; ++from) {
      const Direction is = direction_of(now[from]), wanted = direction_of(code[to]);
      if (is.world == wanted.world) turn.from[to] = int(from), turn.mirrored[to] = is.grows != wanted.grows;
    }
  return turn;
}

}  // namespace

std::string orientation_of(const Affine& m) {
  const std::array<double, 3> dhw = spacing_of(m), length = {dhw[2], dhw[1], dhw[0]};  // of x, y, z
  std::string code = "???";
  std::array<bool, 3> used = {};
  for (int round = 0; round < 3; ++round) {  // the axis that is nearest to a direction first
    std::size_t axis = 0, world = 0;
    double nearest = -1;
    for (std::size_t a = 0; a < 3; ++a)
      for (std::size_t w = 0; w < 3; ++w)
        if (const double along = std::abs(m[4 * w + a]) / length[a]; code[a] == '?' && !used[w] && along > nearest)
          nearest = along, axis = a, world = w;
    code[axis] = (m[4 * world + axis] >= 0 ? positive : negative)[world];
    used[world] = true;
  }
  return code;
}

void check_orientation(const std::string& code, const std::string& option) {
  std::array<int, 3> seen = {};
  for (const char letter : code)
    if (const Direction d = direction_of(letter); d.world >= 0) ++seen[std::size_t(d.world)];
  require<engine::UsageError>(code.size() == 3 && seen == std::array{1, 1, 1},
                              "{} '{}': three letters say where x, y and z grow to, R or L, A or P, S or I, as in RAS",
                              option, code);
}

std::pair<Shape, Geometry> place_reoriented(const Shape& s, const Geometry& g, const std::string& code) {
  const Turn turn = turn_between(orientation_of(g.affine), code);
  const auto extent = [&](std::size_t axis) { return s[2 - int(axis)]; };  // of x, y, z
  Affine m = g.affine;
  Shape shape = s;
  for (std::size_t t = 0; t < 3; ++t) {
    const std::size_t source = std::size_t(turn.from[t]);
    shape = shape.with(2 - int(t), extent(source));
    for (std::size_t row = 0; row < 3; ++row) {
      const double column = g.affine[4 * row + source];
      m[4 * row + t] = turn.mirrored[t] ? -column : column;
      if (turn.mirrored[t]) m[4 * row + 3] += column * double(extent(source) - 1);
    }
  }
  Geometry place = g;
  place.affine = m, place.spacing = spacing_of(m), place.other.reset(), place.nifti_header.clear();
  return {shape, place};
}

Tensor reoriented(const Tensor& voxels, Geometry& g, const std::string& code) {
  const Turn turn = turn_between(orientation_of(g.affine), code);
  const Shape& s = voxels.shape();
  auto [shape, place] = place_reoriented(s, g, code);
  const Extents size{{s[0], s[1], s[2]}}, out{{shape[0], shape[1], shape[2]}};
  Tensor result = Tensor::empty(shape, voxels.dtype());
  const std::size_t bytes = voxels.bytes() / std::size_t(std::max<std::int64_t>(size.volume(), 1));
  const char* const from = static_cast<const char*>(voxels.bytes_begin());
  char* to = static_cast<char*>(result.bytes_begin());
  for (std::int64_t i = 0; i < out.volume(); ++i, to += bytes) {
    Extents there, here;
    engine::split(i, out, there);
    for (int t = 0; t < 3; ++t) {
      const std::int64_t p = there[2 - t], n = out[2 - t];
      here[2 - turn.from[std::size_t(t)]] = turn.mirrored[std::size_t(t)] ? n - 1 - p : p;
    }
    std::memcpy(to, from + std::size_t(engine::join(0, here, size)) * bytes, bytes);
  }
  g = std::move(place);
  return result;
}

void Orientations::add(const std::string& id, const Geometry& geometry) {
  if (geometry.placed) cases_[orientation_of(geometry.affine)].push_back(id);
}

std::string Orientations::text() const {
  std::vector<std::pair<std::string, std::vector<std::string>>> all(cases_.begin(), cases_.end());
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.second.size() > b.second.size(); });
  std::string text;
  for (const auto& [code, ids] : all)
    text += fmt::format("{}{} in {}", text.empty() ? "" : ", ", code,
                        ids.size() > 3 ? fmt::format("{} cases", ids.size()) : fmt::format("{}", fmt::join(ids, " and ")));
  return text;
}

std::string Orientations::warning() const {
  return fmt::format(
      "the axes x, y, z grow to different sides of the patient, so images are turned against each other: {}; "
      "write copies that lie alike with: sagcl-data convert DIR --to NEW --orientation RAS",
      text());
}

}  // namespace sagcl::datasets
