#include "datasets/interpolation.h"

#include <algorithm>

namespace sagcl::datasets {

using engine::Extents;

namespace {

/// f(number, point) for every point, moved into the volume along each axis.
template <class F>
void each_point(const Points& points, const Extents& size, F f) {
  const Grid& grid = points.grid;
  std::int64_t number = 0;
  for (std::int64_t d = 0; d < points.extents[0]; ++d)
    for (std::int64_t h = 0; h < points.extents[1]; ++h) {
      Point row;
      for (std::size_t a = 0; a < 3; ++a) row[a] = grid.first[a] + double(d) * grid.step[0][a] + double(h) * grid.step[1][a];
      for (std::int64_t w = 0; w < points.extents[2]; ++w, ++number) {
        Point p;
        for (std::size_t a = 0; a < 3; ++a) {
          const double moved = points.moves ? double(points.moves[3 * number + std::int64_t(a)]) : 0;
          p[a] = std::clamp(row[a] + double(w) * grid.step[2][a] + moved, 0.0, double(size[int(a)] - 1));
        }
        f(number, p);
      }
    }
}

/// The two voxels around 0 <= p <= n - 1 on an axis, and their shares.
struct Neighbours {
  Neighbours(double p, std::int64_t n, std::int64_t stride) {
    const std::int64_t low = std::int64_t(p);
    at[0] = low * stride, at[1] = std::min(low + 1, n - 1) * stride;
    share[1] = float(p - double(low)), share[0] = 1 - share[1];
  }
  std::int64_t at[2];
  float share[2];
};

}  // namespace

void sample_linear(const float* volume, const Extents& size, std::int64_t channels, const Points& points, float* values) {
  each_point(points, size, [&](std::int64_t number, const Point& p) {
    const Neighbours d(p[0], size[0], size[1] * size[2] * channels), h(p[1], size[1], size[2] * channels),
        w(p[2], size[2], channels);
    const auto row = [&](const float* x, int i, int j) {
      x += d.at[i] + h.at[j];
      return d.share[i] * h.share[j] * (w.share[0] * x[w.at[0]] + w.share[1] * x[w.at[1]]);
    };
    for (std::int64_t c = 0; c < channels; ++c) {
      const float* const x = volume + c;
      values[number * channels + c] = row(x, 0, 0) + row(x, 0, 1) + row(x, 1, 0) + row(x, 1, 1);
    }
  });
}

void sample_nearest(const std::uint8_t* volume, const Extents& size, const Points& points, std::uint8_t* values) {
  each_point(points, size, [&](std::int64_t number, const Point& p) {
    Extents nearest;
    for (int a = 0; a < 3; ++a) nearest[a] = std::int64_t(p[std::size_t(a)] + 0.5);
    values[number] = volume[engine::join(0, nearest, size)];
  });
}

}  // namespace sagcl::datasets
