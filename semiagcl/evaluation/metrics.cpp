#include "semiagcl/evaluation/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "datasets/distance_transform.h"
#include "ops/selection.h"

namespace sagcl::semiagcl {

using engine::Device;
using engine::Dtype;
using engine::Extents;
using engine::require;
using engine::Shape;
using engine::Type;
using engine::UsageError;

namespace {

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

/// A mask on the host as bytes, with its extents as a volume.
struct Mask {
  std::vector<std::uint8_t> inside;
  Extents size;
  bool flat;  // rank 2: no neighbours along the first axis
  std::int64_t count = 0;

  explicit Mask(const Tensor& t) : inside(std::size_t(t.size())), flat(t.shape().rank() == 2) {
    const Shape& s = t.shape();
    require(s.rank() == 2 || s.rank() == 3, "metrics: a mask must be [H,W] or [D,H,W], got {}", s);
    size = flat ? Extents{{1, s[0], s[1]}} : Extents{{s[0], s[1], s[2]}};
    const Tensor host = t.to(Device::cpu());
    visit_any(t.dtype(), [&]<class T>(Type<T>) {
      for (std::int64_t i = 0; i < host.size(); ++i) count += inside[std::size_t(i)] = host.data<T>()[i] != T(0);
    });
  }
};

std::vector<std::uint8_t> surface_of(const Mask& m) {
  std::vector<std::uint8_t> surface(m.inside.size(), 0);
  const std::int64_t stride[3] = {m.size[1] * m.size[2], m.size[2], 1};
  std::int64_t i = 0;
  Extents p;
  for (p[0] = 0; p[0] < m.size[0]; ++p[0])
    for (p[1] = 0; p[1] < m.size[1]; ++p[1])
      for (p[2] = 0; p[2] < m.size[2]; ++p[2], ++i) {
        if (!m.inside[std::size_t(i)]) continue;
        bool outer = false;
        for (int a = m.flat ? 1 : 0; a < 3; ++a)
          outer = outer || p[a] == 0 || p[a] == m.size[a] - 1 || !m.inside[std::size_t(i - stride[a])] ||
                  !m.inside[std::size_t(i + stride[a])];
        surface[std::size_t(i)] = outer;
      }
  return surface;
}

/// Both surfaces cut to the box that holds them: distances between them do not change, and the transform gets small.
struct Surfaces {
  Extents size;
  std::vector<std::uint8_t> a, b;
  Surfaces(const Mask& x, const Mask& y) {
    const std::vector<std::uint8_t> full_a = surface_of(x), full_b = surface_of(y);
    Extents low = x.size, high{{-1, -1, -1}}, p;
    for (std::int64_t i = 0; i < x.size.volume(); ++i) {
      if (!full_a[std::size_t(i)] && !full_b[std::size_t(i)]) continue;
      engine::split(i, x.size, p);
      for (int d = 0; d < 3; ++d) low[d] = std::min(low[d], p[d]), high[d] = std::max(high[d], p[d]);
    }
    for (int d = 0; d < 3; ++d) size[d] = high[d] - low[d] + 1;
    for (p[0] = low[0]; p[0] <= high[0]; ++p[0])
      for (p[1] = low[1]; p[1] <= high[1]; ++p[1]) {
        const std::int64_t from = engine::join(0, {{p[0], p[1], low[2]}}, x.size);
        a.insert(a.end(), full_a.begin() + from, full_a.begin() + from + size[2]);
        b.insert(b.end(), full_b.begin() + from, full_b.begin() + from + size[2]);
      }
  }
};

/// Distances from the marked voxels of `from` to the nearest of `to`.
std::vector<double> distances(const std::vector<std::uint8_t>& from, const std::vector<std::uint8_t>& to,
                              const Extents& size, const double* spacing) {
  const std::vector<double> squared = datasets::squared_distance(to, size, spacing);
  std::vector<double> d;
  for (std::size_t i = 0; i < from.size(); ++i)
    if (from[i]) d.push_back(std::sqrt(squared[i]));
  return d;
}

/// Both masks have one shape; `what` begins the message.
void require_alike(const char* what, const Tensor& prediction, const Tensor& truth) {
  require(prediction.shape() == truth.shape(), "{}: prediction {} and truth {} differ", what, prediction.shape(),
          truth.shape());
}

std::int64_t in_both(const Mask& a, const Mask& b) {
  std::int64_t both = 0;
  for (std::size_t i = 0; i < a.inside.size(); ++i) both += a.inside[i] & b.inside[i];
  return both;
}

double dice_of(std::int64_t both, const Mask& a, const Mask& b) {
  const std::int64_t sum = a.count + b.count;
  return sum == 0 ? 1 : 2 * double(both) / double(sum);
}

/// Spacing along depth, height, width.
std::array<double, 3> spacing_of(const MetricSpec& spec) {
  for (double s : spec.spacing) require<UsageError>(s > 0 && std::isfinite(s), "metrics: spacing {} must be above 0", s);
  return spec.spacing;
}

double mean(const std::vector<double>& v) {
  double s = 0;
  for (double x : v) s += x;
  return s / double(v.size());
}

}  // namespace

Tensor mask_of(const Tensor& labels, std::int64_t k) {
  const Tensor host = labels.to(Device::cpu());
  Tensor mask = Tensor::empty(labels.shape(), Dtype::u8);
  visit_any(host.dtype(), [&]<class T>(Type<T>) {
    for (std::int64_t i = 0; i < host.size(); ++i) mask.data<std::uint8_t>()[i] = double(host.data<T>()[i]) == double(k);
  });
  return mask;
}

Tensor surface(const Tensor& mask) { return Tensor::of(mask.shape(), surface_of(Mask(mask))); }

double percentile(const std::vector<double>& v, double q) {
  require<UsageError>(!v.empty() && q >= 0 && q <= 100, "percentile: {} of {} values", q, v.size());
  return ops::quantiles(Tensor::of({1, std::int64_t(v.size())}, v), {q / 100}).item();
}

std::vector<double> surface_distances(const Tensor& from, const Tensor& to, const MetricSpec& spec) {
  const Mask a(from), b(to);
  require(from.shape() == to.shape(), "surface_distances: masks {} and {} differ", from.shape(), to.shape());
  require<UsageError>(a.count > 0 && b.count > 0, "surface_distances: an empty mask has no surface");
  const Surfaces s(a, b);
  return distances(s.a, s.b, s.size, spacing_of(spec).data());
}

double dice(const Tensor& prediction, const Tensor& truth) {
  require_alike("dice", prediction, truth);
  const Mask a(prediction), b(truth);
  return dice_of(in_both(a, b), a, b);
}

CaseScores score(const Tensor& prediction, const Tensor& truth, const MetricSpec& spec) {
  require_alike("score", prediction, truth);
  const Mask a(prediction), b(truth);
  const std::array<double, 3> spacing = spacing_of(spec);
  CaseScores out;
  out.empty_prediction = a.count == 0, out.empty_truth = b.count == 0;
  if (out.empty_prediction && spec.empty == EmptyRule::published) return out;
  if (out.empty_prediction || out.empty_truth) {
    out.dice = out.jaccard = out.empty_prediction && out.empty_truth ? 1 : 0;
    out.hd95 = out.asd = out.assd = out.hd = undefined;
    return out;
  }
  const std::int64_t both = in_both(a, b);
  out.dice = dice_of(both, a, b);
  out.jaccard = double(both) / double(a.count + b.count - both);

  const Surfaces s(a, b);
  std::vector<double> all = distances(s.a, s.b, s.size, spacing.data());
  out.asd = mean(all);
  const std::vector<double> back = distances(s.b, s.a, s.size, spacing.data());
  all.insert(all.end(), back.begin(), back.end());
  out.assd = mean(all);
  out.hd = *std::max_element(all.begin(), all.end());
  out.hd95 = percentile(all, 95);
  return out;
}

}  // namespace sagcl::semiagcl
