#include "ops/selection.h"

#include <algorithm>
#include <vector>

#include "ops/backend.h"

namespace sagcl::ops {

using engine::Dtype;
using engine::require;
using engine::Shape;

namespace {

/// The shape of x with one more axis.
Shape and_axis(const Shape& s, std::int64_t n) {
  std::vector<std::int64_t> extents(s.begin(), s.end());
  extents.push_back(n);
  return Shape(extents);
}

}  // namespace

Tensor quantiles(const Tensor& x, const std::vector<double>& q, std::int64_t skip) {
  require(x.shape().rank() == 2, "quantiles: expected [rows, n], got {}", x.shape());
  Tensor y = Tensor::empty({x.shape()[0], std::int64_t(q.size())}, x.dtype(), x.device());
  backend(x.device()).quantiles(skip, q, x, y);
  return y;
}

Tensor unit_range(const Tensor& x, const Tensor& range) {
  require(x.shape().rank() == 2 && range.shape() == Shape{x.shape()[0], 2}, "unit_range: {} needs a range [{}, 2], got {}",
          x.shape(), x.shape()[0], range.shape());
  Tensor y = Tensor::empty_like(x);
  backend(x.device()).unit_range(x, range, y);
  return y;
}

Tensor clamp(const Tensor& x, double low, double high) {
  Tensor y = Tensor::empty_like(x);
  backend(x.device()).clamp(x, low, high, y);
  return y;
}

TopRows top_rows(const Tensor& score, const Tensor& weight, double least, std::int64_t n) {
  const Shape& s = score.shape();
  require(s.rank() == 2 && weight.shape() == s && n >= 0 && n <= s[0],
          "top_rows: {} of the rows of score {} with weight {}; both must be [rows, columns]", n, s, weight.shape());
  TopRows top{Tensor::empty({s[1], n}, Dtype::i32, score.device()), Tensor::empty({s[1]}, Dtype::i32, score.device())};
  backend(score.device()).top_rows(least, score, weight, top.picks, top.counted);
  return top;
}

Tensor choose(const Tensor& mask, const Tensor& a, const Tensor& b) {
  const Shape &m = mask.shape(), &s = a.shape();
  bool fits = s == b.shape() && s.rank() >= m.rank();
  for (int axis = 0; fits && axis < m.rank(); ++axis) fits = s[axis] == m[axis];
  require(fits, "choose: {} and {} by a mask {}", s, b.shape(), m);
  require<engine::DtypeError>(mask.dtype() == Dtype::f32 && a.dtype() == b.dtype(), "choose: {} and {} by a mask of {}",
                              a.dtype(), b.dtype(), mask.dtype());
  Tensor y = Tensor::empty_like(a);
  backend(a.device()).choose(mask, a, b, y);
  return y;
}

Tensor one_hot(const Tensor& labels, std::int64_t classes, Dtype dtype) {
  Tensor y = Tensor::empty(and_axis(labels.shape(), classes), dtype, labels.device());
  backend(labels.device()).one_hot(labels, y);
  return y;
}

Tensor diagonal(const Tensor& a) {
  const Shape& s = a.shape();
  require(s.rank() == 3 && s[1] == s[2], "diagonal: expected [graphs, N, N], got {}", s);
  Tensor y = Tensor::empty({s[0], s[1]}, a.dtype(), a.device());
  backend(a.device()).diagonal(a, y);
  return y;
}

Tensor below(const Tensor& x, const Tensor& limit, std::int64_t columns) {
  Tensor y = Tensor::empty(and_axis(x.shape(), columns), x.dtype(), x.device());
  backend(x.device()).below(x, limit, y);
  return y;
}

Tensor shares(const Tensor& x) {
  require(x.shape().rank() > 0, "shares: expected rows, got a scalar");
  const std::int64_t C = x.shape().back(), rows = C > 0 ? x.size() / C : 0;
  Tensor sums = Tensor::empty({rows}, x.dtype(), x.device()), y = Tensor::empty_like(x);
  Backend& device = backend(x.device());
  device.sum(x, {rows, C, 1}, 1, sums);
  device.expand(sums, {rows, C, 1}, 1, y);
  device.binary(Binary::divide, x, y, y);
  return y;
}

Tensor add_noise(const Tensor& x, const engine::RandomKey& key, double scale, double most) {
  Tensor y = Tensor::empty_like(x);
  backend(x.device()).add_noise(key, scale, most, x, y);
  return y;
}

Tensor uniform_like(const Tensor& x, const engine::RandomKey& key, double low, double high) {
  Tensor y = Tensor::empty_like(x);
  backend(x.device()).uniform(key, low, high, y);
  return y;
}

Tensor draw_rows(const Tensor& weight, const Tensor& u) {
  const Shape &s = weight.shape(), &n = u.shape();
  require(s.rank() == 2 && s[0] > 0 && n.rank() == 2 && n[0] == s[1],
          "draw_rows: weights {} and numbers {}; expected [rows, columns] with rows and [columns, draws]", s, n);
  require<engine::DtypeError>(u.dtype() == weight.dtype(), "draw_rows: weights are {}, numbers {}", weight.dtype(),
                              u.dtype());
  if (weight.device().is_cpu()) {
    const std::vector<double> all = weight.to_doubles();
    const auto bad = std::find_if(all.begin(), all.end(), [](double w) { return !(w >= 0); });
    require<engine::UsageError>(bad == all.end(), "draw_rows: weight {} of row {} and column {} must be 0 or more",
                                bad == all.end() ? 0 : *bad, (bad - all.begin()) / s[1], (bad - all.begin()) % s[1]);
  }
  Tensor sums = Tensor::empty({s[1], (s[0] + summed_rows - 1) / summed_rows}, Dtype::f64, weight.device());
  Tensor picks = Tensor::empty(n, Dtype::i32, weight.device());
  backend(weight.device()).draw_rows(weight, u, sums, picks);
  return picks;
}

}  // namespace sagcl::ops
