#include "datasets/placement.h"

#include <algorithm>

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

/// Flips and turns map the crop's axes onto the volume's, so one step along an axis of the crop is a fixed step in the
/// volume.
template <class T>
Tensor cut_typed(const Tensor& volume, const Extents& crop, const Placement& place, std::int64_t channels,
                 const Shape& result) {
  const Extents size{{volume.shape()[0], volume.shape()[1], volume.shape()[2]}};
  const Extents corner = untransform({{0, 0, 0}}, crop, place);
  Extents first, step[3];
  for (int a = 0; a < 3; ++a) {
    const std::int64_t pad = std::max<std::int64_t>(crop[a] - size[a], 0) / 2;
    first[a] = corner[a] + place.start[a] - pad;
    Extents next{{0, 0, 0}};
    next[a] = 1;
    next = untransform(next, crop, place);
    for (int b = 0; b < 3; ++b) step[a][b] = next[b] - corner[b];
  }
  const auto within = [&](const Extents& s) {
    return s[0] >= 0 && s[0] < size[0] && s[1] >= 0 && s[1] < size[1] && s[2] >= 0 && s[2] < size[2];
  };
  Tensor out = Tensor::zeros(result, volume.dtype());
  const T* from = volume.data<T>();
  T* to = out.data<T>();
  for (std::int64_t z = 0; z < crop[0]; ++z)
    for (std::int64_t y = 0; y < crop[1]; ++y) {
      Extents s;
      for (int b = 0; b < 3; ++b) s[b] = first[b] + z * step[0][b] + y * step[1][b];
      for (std::int64_t x = 0; x < crop[2]; ++x, to += channels) {
        if (within(s)) std::copy_n(from + engine::join(0, s, size) * channels, channels, to);
        for (int b = 0; b < 3; ++b) s[b] += step[2][b];
      }
    }
  return out;
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
  return place;
}

Tensor cut(const Tensor& volume, const Extents& crop, const Placement& place) {
  const Shape& s = volume.shape();
  require(s.rank() == 3 || s.rank() == 4, "cut takes [D, H, W] or [D, H, W, C], got {}", s);
  for (int a = 0; a < 3; ++a)
    require(place.start[a] >= 0 && place.start[a] + crop[a] <= std::max(s[a], crop[a]),
            "the crop {} at {} does not fit into {}", engine::to_string(crop), engine::to_string(place.start), s);
  require(place.quarter_turns == 0 || crop[1] == crop[2], "quarter turns need a crop with equal height and width, got {}",
          engine::to_string(crop));
  if (volume.dtype() == engine::Dtype::u8) {
    require(s.rank() == 3, "a segmentation to cut is [D, H, W], got {}", s);
    return cut_typed<std::uint8_t>(volume, crop, place, 1, {crop[0], crop[1], crop[2]});
  }
  const std::int64_t channels = s.rank() == 4 ? s[3] : 1;
  return cut_typed<float>(volume, crop, place, channels,
                          s.rank() == 4 ? Shape({crop[0], crop[1], crop[2], channels}) : Shape({crop[0], crop[1], crop[2]}));
}

}  // namespace sagcl::datasets
