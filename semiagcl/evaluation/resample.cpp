#include "semiagcl/evaluation/resample.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace sagcl::semiagcl {

using engine::require;
using engine::Type;

std::vector<std::int64_t> zoom_index(std::int64_t n, std::int64_t m) {
  require(n > 0 && m > 0, "zoom_index: {} samples to {}", n, m);
  const double step = m > 1 ? double(n - 1) / double(m - 1) : 1;
  std::vector<std::int64_t> index;
  for (std::int64_t o = 0; o < m; ++o) {
    const double c = double(o) * step;
    index.push_back(c > double(n - 1) ? -1 : std::int64_t(std::floor(c + 0.5)));
  }
  return index;
}

std::int64_t zoomed_length(std::int64_t n, double factor) { return std::llrint(double(n) * factor); }

Tensor zoom_nearest(const Tensor& x, std::int64_t height, std::int64_t width) {
  const engine::Shape& s = x.shape();
  require(s.rank() >= 2 && s.rank() <= 4, "zoom_nearest: expected [H,W], [D,H,W] or [D,H,W,C], got {}", s);
  const int h = s.rank() == 2 ? 0 : 1;  // the axis H
  const std::int64_t planes = h ? s[0] : 1, channels = s.rank() == 4 ? s[3] : 1;
  const std::vector<std::int64_t> rows = zoom_index(s[h], height), columns = zoom_index(s[h + 1], width);
  const Tensor host = x.to(engine::Device::cpu());
  Tensor y = Tensor::zeros(s.with(h, height).with(h + 1, width), x.dtype());
  visit_any(x.dtype(), [&]<class T>(Type<T>) {
    T* to = y.data<T>();
    for (std::int64_t d = 0; d < planes; ++d)
      for (const std::int64_t row : rows)
        for (const std::int64_t column : columns) {
          if (row >= 0 && column >= 0)
            std::copy_n(host.data<T>() + ((d * s[h] + row) * s[h + 1] + column) * channels, channels, to);
          to += channels;
        }
  });
  return y;
}

std::vector<std::int64_t> rotate_index(std::int64_t height, std::int64_t width, double degrees) {
  const double t = degrees * (std::numbers::pi / 180), cosine = std::cos(t), sine = std::sin(t);
  const double centre[2] = {double(height - 1) / 2, double(width - 1) / 2};
  std::vector<std::int64_t> index;
  for (std::int64_t i = 0; i < height; ++i)
    for (std::int64_t j = 0; j < width; ++j) {
      const double y = double(i) - centre[0], x = double(j) - centre[1];
      const double p = cosine * y + sine * x + centre[0], q = -sine * y + cosine * x + centre[1];
      const bool inside = p >= 0 && q >= 0 && p <= double(height - 1) && q <= double(width - 1);
      index.push_back(inside ? std::int64_t(std::floor(p + 0.5)) * width + std::int64_t(std::floor(q + 0.5)) : -1);
    }
  return index;
}

Tensor rotate_nearest(const Tensor& x, double degrees) {
  require(x.shape().rank() == 2, "rotate_nearest: expected [H,W], got {}", x.shape());
  const std::vector<std::int64_t> index = rotate_index(x.shape()[0], x.shape()[1], degrees);
  const Tensor host = x.to(engine::Device::cpu());
  Tensor y = Tensor::zeros(x.shape(), x.dtype());
  visit_any(x.dtype(), [&]<class T>(Type<T>) {
    for (std::size_t i = 0; i < index.size(); ++i)
      if (index[i] >= 0) y.data<T>()[i] = host.data<T>()[index[i]];
  });
  return y;
}

}  // namespace sagcl::semiagcl
