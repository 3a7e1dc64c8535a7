#include "semiagcl/evaluation/mirrors.h"

#include <algorithm>
#include <utility>

#include "engine/parallel.h"

namespace sagcl::semiagcl {

using engine::Shape;

std::vector<Mirror> mirrors_along(const Mirror& axes) {
  std::vector<Mirror> all = {{false, false, false}};
  for (std::size_t a = 0; a < 3; ++a) {
    if (!axes[a]) continue;
    const std::size_t without = all.size();
    for (std::size_t i = 0; i < without; ++i) all.push_back(all[i]), all.back()[a] = true;
  }
  return all;
}

namespace {

/// f(voxel of the mirror image, voxel of x) for planes x of shape s = [N, n, H, W, C], which are those from `first` on of an
/// image of `depth` planes. No two threads have a voxel of the mirror image in common.
template <class F>
void for_each_voxel(const Shape& s, std::int64_t first, std::int64_t depth, const Mirror& mirror, F&& f) {
  engine::parallel_for(s[0] * s[1] * s[2], 64, [&](std::int64_t row) {
    const std::int64_t d = first + row / s[2] % s[1], h = row % s[2];
    const std::int64_t plane = row / s[2] / s[1] * depth + (mirror[0] ? depth - 1 - d : d);
    const std::int64_t to = plane * s[2] + (mirror[1] ? s[2] - 1 - h : h);
    for (std::int64_t w = 0; w < s[3]; ++w) f(to * s[3] + (mirror[2] ? s[3] - 1 - w : w), row * s[3] + w);
  });
}

}  // namespace

Tensor mirrored(const Tensor& x, const Mirror& mirror) {
  const std::int64_t C = x.shape()[4];
  Tensor out = Tensor::empty(x.shape());
  const float* const source = x.data<float>();
  float* const target = out.data<float>();
  for_each_voxel(x.shape(), 0, x.shape()[1], mirror,
                 [&](std::int64_t to, std::int64_t from) { std::copy_n(source + from * C, C, target + to * C); });
  return out;
}

void MirrorMean::add(const Tensor& planes, std::int64_t first, const Mirror& mirror) {
  const std::int64_t C = planes.shape()[4];
  if (!sum_.defined()) sum_ = Tensor::zeros(planes.shape().with(1, depth_));
  const float* const p = planes.data<float>();
  float* const sum = sum_.data<float>();
  for_each_voxel(planes.shape(), first, depth_, mirror, [&](std::int64_t to, std::int64_t from) {
    for (std::int64_t c = 0; c < C; ++c) sum[to * C + c] += p[from * C + c];
  });
}

Tensor MirrorMean::take(std::size_t mirrors) {
  const float share = 1 / float(mirrors);  // exact: there are 1, 2, 4 or 8
  float* const sum = sum_.data<float>();
  engine::parallel_for(sum_.size(), 1 << 14, [&](std::int64_t i) { sum[i] *= share; });
  return std::exchange(sum_, {});
}

Tensor mean_over_mirrors(const Tensor& x, const std::vector<Mirror>& mirrors,
                         const std::function<Tensor(const Tensor&)>& f) {
  if (mirrors.size() == 1) return f(x);
  MirrorMean mean(x.shape()[1]);
  for (const Mirror& mirror : mirrors) mean.add(f(mirrored(x, mirror)), 0, mirror);
  return mean.take(mirrors.size());
}

}  // namespace sagcl::semiagcl
