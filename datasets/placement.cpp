#include "datasets/placement.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "datasets/interpolation.h"
#include "datasets/resampling.h"

namespace sagcl::datasets {

using engine::Extents;
using engine::require;
using engine::Shape;

namespace {

/// Source position of target voxel p, in the crop before flips and turns.
Extents untransform(Extents p, const Extents& crop, const Placement& place) {
  for (int a = 0; a < 3; ++a)
    if (place.flip[std::size_t(a)]) p[a] = crop[a] - 1 - p[a];
  for (int k = 0; k < place.quarter_turns; ++k)
    p = {{p[0], p[2], crop[2] - 1 - p[1]}};  // one turn: target (y, x) shows source (x, n-1-y)
  return p;
}

/// Voxel p of the crop shows voxel first + sum of p[a] step[a] of the volume, unless it is turned freely or scaled: flips
/// and quarter turns map the crop's axes onto the volume's.
struct Steps {
  Extents first, step[3];
};

constexpr std::int64_t controls = 5;  // points along an axis that a deformation moves

/// By how many voxels each voxel of the crop is moved, [d, h, w, 3]; undefined if it is not deformed.
Tensor moves_of(const Extents& crop, const Placement& place) {
  if (place.bend.empty()) return {};
  const Tensor points = Tensor::of({crop[0] == 1 ? 1 : controls, controls, controls, 3}, place.bend);
  return resampled(points, crop, {Interpolation::cubic, Interpolation::cubic, Interpolation::cubic});
}

Steps steps_of(const Extents& size, const Extents& crop, const Placement& place) {
  const Extents corner = untransform({{0, 0, 0}}, crop, place);
  Steps s;
  for (int a = 0; a < 3; ++a) {
    const std::int64_t pad = std::max<std::int64_t>(crop[a] - size[a], 0) / 2;
    s.first[a] = corner[a] + place.start[a] - pad;
    Extents next{{0, 0, 0}};
    next[a] = 1;
    next = untransform(next, crop, place);
    for (int b = 0; b < 3; ++b) s.step[a][b] = next[b] - corner[b];
  }
  return s;
}

template <class T>
void copy(const Tensor& volume, const Extents& size, const Extents& crop, const Steps& steps, std::int64_t channels,
          Tensor& out) {
  const auto within = [&](const Extents& s) {
    return s[0] >= 0 && s[0] < size[0] && s[1] >= 0 && s[1] < size[1] && s[2] >= 0 && s[2] < size[2];
  };
  const T* from = volume.data<T>();
  T* to = out.data<T>();
  for (std::int64_t z = 0; z < crop[0]; ++z)
    for (std::int64_t y = 0; y < crop[1]; ++y) {
      Extents s;
      for (int b = 0; b < 3; ++b) s[b] = steps.first[b] + z * steps.step[0][b] + y * steps.step[1][b];
      for (std::int64_t x = 0; x < crop[2]; ++x, to += channels) {
        if (within(s)) std::copy_n(from + engine::join(0, s, size) * channels, channels, to);
        for (int b = 0; b < 3; ++b) s[b] += steps.step[2][b];
      }
    }
}

/// Where a step from the crop's centre leads in the crop before it was turned freely and scaled.
Point unturn(Point step, const Placement& place) {
  for (double& v : step) v /= place.scale;
  for (const std::size_t axis : {2u, 1u, 0u}) {
    const double angle = place.turn[axis] * std::numbers::pi / 180, c = std::cos(angle), s = std::sin(angle);
    double &u = step[axis == 0 ? 1 : 0], &v = step[axis == 2 ? 1 : 2];  // counter-clockwise: target (u, v) shows (v, -u)
    const double before = u;
    u = c * u + s * v, v = c * v - s * before;
  }
  return step;
}

/// Where the crop's voxels lie in the volume.
Grid grid_of(const Steps& steps, const Extents& crop, const Placement& place) {
  Grid grid;
  for (int b = 0; b < 3; ++b) grid.first[std::size_t(b)] = double(steps.first[b]);
  for (int a = 0; a < 3; ++a) {
    Point unit = {};
    unit[std::size_t(a)] = 1;
    const Point source = unturn(unit, place);
    const double centre = double(crop[a] - 1) / 2;
    for (std::size_t b = 0; b < 3; ++b) {
      for (int k = 0; k < 3; ++k) grid.step[std::size_t(a)][b] += source[std::size_t(k)] * double(steps.step[k][int(b)]);
      grid.first[b] += centre * (double(steps.step[a][int(b)]) - grid.step[std::size_t(a)][b]);
    }
  }
  return grid;
}

}  // namespace

Placement draw_placement(const WeakSpec& spec, const Extents& volume, engine::Generator& random) {
  Placement place;
  for (int a = 0; a < 3; ++a) {
    require(spec.crop[a] >= 1, "the crop {} has an extent below 1", engine::to_string(spec.crop));
    place.start[a] = random.integer(std::max(volume[a], spec.crop[a]) - spec.crop[a] + 1);
  }
  if (spec.quarter_turns) {
    require(spec.crop[1] == spec.crop[2], "quarter turns need a crop with equal height and width, got {}",
            engine::to_string(spec.crop));
    place.quarter_turns = int(random.integer(4));
  }
  for (std::size_t a = 0; a < 3; ++a) place.flip[a] = spec.flip[a] && random.coin();
  if (spec.turn > 0 && random.coin(spec.free_share))
    for (std::size_t a = 0; a < (spec.crop[0] == 1 ? 1u : 3u); ++a) place.turn[a] = random.uniform(-spec.turn, spec.turn);
  if (spec.scale > 1 && random.coin(spec.free_share))
    place.scale = std::exp(random.uniform(-std::log(spec.scale), std::log(spec.scale)));
  if (spec.elastic > 0 && random.coin(spec.free_share)) {
    const bool flat = spec.crop[0] == 1;
    for (std::int64_t i = 0; i < (flat ? 1 : controls) * controls * controls; ++i)
      for (int a = 0; a < 3; ++a) {
        const double most = flat && a == 0 ? 0 : spec.elastic * double(spec.crop[a]) / double(controls);
        place.bend.push_back(float(random.uniform(-most, most)));
      }
  }
  return place;
}

ClassCounts::ClassCounts(const Tensor& label) : planes(std::size_t(label.shape()[0])) {
  const std::uint8_t* voxel = label.data<std::uint8_t>();
  const std::int64_t pixels = label.shape()[1] * label.shape()[2];
  for (auto& count : planes)
    for (std::int64_t i = 0; i < pixels; ++i) ++count[*voxel++];
}

void centre_on_foreground(Placement& place, const Tensor& label, const ClassCounts& counts, const Extents& crop,
                          engine::Generator& random) {
  const std::uint8_t* const voxels = label.data<std::uint8_t>();
  const Extents size{{label.shape()[0], label.shape()[1], label.shape()[2]}};
  std::array<std::int64_t, not_annotated> count = {};
  for (const auto& plane : counts.planes)
    for (std::size_t k = 0; k < count.size(); ++k) count[k] += plane[k];
  std::vector<std::uint8_t> classes;
  for (std::size_t k = 1; k < count.size(); ++k)
    if (count[k] > 0) classes.push_back(std::uint8_t(k));
  if (classes.empty()) return;
  const std::uint8_t chosen = classes[std::size_t(random.integer(std::int64_t(classes.size())))];
  std::int64_t before = random.integer(count[chosen]), at = 0;
  for (auto plane = counts.planes.begin(); before >= (*plane)[chosen]; ++plane, at += size[1] * size[2])
    before -= (*plane)[chosen];
  while (voxels[at] != chosen || before-- > 0) ++at;
  Extents voxel;
  engine::split(at, size, voxel);
  for (int a = 0; a < 3; ++a) {
    const std::int64_t pad = std::max<std::int64_t>(crop[a] - size[a], 0) / 2, last = std::max(size[a], crop[a]) - crop[a];
    place.start[a] = std::clamp<std::int64_t>(voxel[a] + pad - crop[a] / 2, 0, last);
  }
}

Tensor cut(const Tensor& volume, const Extents& crop, const Placement& place) {
  const Shape& s = volume.shape();
  require(s.rank() == 3 || s.rank() == 4, "cut takes [D, H, W] or [D, H, W, C], got {}", s);
  for (int a = 0; a < 3; ++a)
    require(place.start[a] >= 0 && place.start[a] + crop[a] <= std::max(s[a], crop[a]),
            "the crop {} at {} does not fit into {}", engine::to_string(crop), engine::to_string(place.start), s);
  require(place.quarter_turns == 0 || crop[1] == crop[2], "quarter turns need a crop with equal height and width, got {}",
          engine::to_string(crop));
  require(place.scale > 0, "a crop cannot be scaled by {}", place.scale);
  const bool classes = volume.dtype() == engine::Dtype::u8,
             copied = place.turn == Point{} && place.scale == 1 && place.bend.empty();
  require(!classes || s.rank() == 3, "a segmentation to cut is [D, H, W], got {}", s);
  const Extents size{{s[0], s[1], s[2]}};
  const std::int64_t channels = s.rank() == 4 ? s[3] : 1;
  const Steps steps = steps_of(size, crop, place);
  Tensor out = Tensor::zeros(
      s.rank() == 4 ? Shape({crop[0], crop[1], crop[2], channels}) : Shape({crop[0], crop[1], crop[2]}), volume.dtype());
  if (copied && classes) copy<std::uint8_t>(volume, size, crop, steps, 1, out);
  else if (copied) copy<float>(volume, size, crop, steps, channels, out);
  else {
    const Tensor moves = moves_of(crop, place);
    const Points points{grid_of(steps, crop, place), crop, moves.defined() ? moves.data<float>() : nullptr};
    if (classes) sample_nearest(volume.data<std::uint8_t>(), size, points, out.data<std::uint8_t>());
    else sample_linear(volume.data<float>(), size, channels, points, out.data<float>());
  }
  return out;
}

}  // namespace sagcl::datasets
