#include "datasets/distance_transform.h"

#include <algorithm>
#include <limits>

#include "engine/parallel.h"

namespace sagcl::datasets {

namespace {

constexpr double infinite = std::numeric_limits<double>::infinity();

/// Room for one line's lower envelope.
struct Envelope {
  explicit Envelope(std::int64_t n)
      : value(static_cast<std::size_t>(n)), apex(static_cast<std::size_t>(n)), from(static_cast<std::size_t>(n) + 1) {}
  std::vector<double> value;       // the line, copied: the result overwrites it
  std::vector<std::int64_t> apex;  // parabolas of the envelope, left to right
  std::vector<double> from;        // apex[k] is lowest on [from[k], from[k+1]]
};

/// line[i stride] ← min_j line[j stride] + (step (i − j))²
void lower_envelope(double* line, std::int64_t n, std::int64_t stride, double step, Envelope& e) {
  const double step2 = step * step;
  std::int64_t k = -1;
  for (std::int64_t j = 0; j < n; ++j) {
    const double f = e.value[std::size_t(j)] = line[j * stride];
    if (f == infinite) continue;
    double meet = -infinite;
    while (k >= 0) {
      const std::int64_t a = e.apex[std::size_t(k)];
      // where the parabolas at a and j cross: f_a + s²(x−a)² = f_j + s²(x−j)²
      meet = ((f - e.value[std::size_t(a)]) / step2 + double(j * j - a * a)) / double(2 * (j - a));
      if (meet > e.from[std::size_t(k)]) break;
      --k;
    }
    if (k < 0) meet = -infinite;
    ++k;
    e.apex[std::size_t(k)] = j, e.from[std::size_t(k)] = meet, e.from[std::size_t(k) + 1] = infinite;
  }
  if (k < 0) return;
  std::size_t at = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    while (e.from[at + 1] < double(i)) ++at;
    const double d = step * double(i - e.apex[at]);
    line[i * stride] = e.value[std::size_t(e.apex[at])] + d * d;
  }
}

}  // namespace

std::vector<double> squared_distance(std::span<const std::uint8_t> marked, const Extents& size, const double spacing[3]) {
  std::vector<double> d(std::size_t(size.volume()));
  const std::int64_t W = size[2], H = size[1], D = size[0];
  constexpr std::int64_t worth = 1 << 16;  // voxels below which a second thread costs more than it brings
  engine::parallel_for(D * H, worth / W + 1, [&](std::int64_t line) {  // along the rows: steps since the last marked voxel
    double* row = d.data() + line * W;
    const std::uint8_t* mark = marked.data() + line * W;
    std::int64_t since = -1;
    for (std::int64_t i = 0; i < W; ++i) {
      since = mark[i] ? 0 : since < 0 ? -1 : since + 1;
      row[i] = since < 0 ? infinite : double(since) * spacing[2] * (double(since) * spacing[2]);
    }
    since = -1;
    for (std::int64_t i = W - 1; i >= 0; --i) {
      since = mark[i] ? 0 : since < 0 ? -1 : since + 1;
      if (since >= 0) row[i] = std::min(row[i], double(since) * spacing[2] * (double(since) * spacing[2]));
    }
  });
  if (H > 1)
    engine::parallel_ranges(D * W, worth / H + 1, [&](std::int64_t begin, std::int64_t end) {
      Envelope e(H);
      for (std::int64_t i = begin; i < end; ++i) lower_envelope(d.data() + i / W * H * W + i % W, H, W, spacing[1], e);
    });
  if (D > 1)
    engine::parallel_ranges(H * W, worth / D + 1, [&](std::int64_t begin, std::int64_t end) {
      Envelope e(D);
      for (std::int64_t i = begin; i < end; ++i) lower_envelope(d.data() + i, D, H * W, spacing[0], e);
    });
  return d;
}

}  // namespace sagcl::datasets
