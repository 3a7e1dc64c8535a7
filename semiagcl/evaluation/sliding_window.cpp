#include "semiagcl/evaluation/sliding_window.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/parallel.h"

namespace sagcl::semiagcl {

using engine::Device;
using engine::require;
using engine::Shape;
using engine::Type;
using engine::UsageError;

std::vector<std::int64_t> window_starts(std::int64_t length, std::int64_t window, std::int64_t stride) {
  require<UsageError>(window > 0 && stride > 0 && length >= window,
                      "window_starts: window {} with stride {} in a length of {}", window, stride, length);
  const std::int64_t last = length - window, n = (last + stride - 1) / stride + 1;
  std::vector<std::int64_t> starts;
  for (std::int64_t i = 0; i < n; ++i) starts.push_back(std::min(i * stride, last));
  return starts;
}

WindowPlan plan_windows(const Extents& volume, const WindowSpec& spec) {
  WindowPlan plan;
  for (int a = 0; a < 3; ++a) {
    const std::int64_t missing = std::max<std::int64_t>(spec.window[a] - volume[a], 0);
    plan.before[a] = missing / 2, plan.after[a] = missing - missing / 2;
    plan.starts[a] = window_starts(volume[a] + missing, spec.window[a], spec.stride[a]);
  }
  return plan;
}

std::vector<Extents> WindowPlan::all() const {
  std::vector<Extents> windows;
  for (std::int64_t x : starts[0])
    for (std::int64_t y : starts[1])
      for (std::int64_t z : starts[2]) windows.push_back({{x, y, z}});
  return windows;
}

namespace {

/// Weight of a window's voxel along one axis.
std::vector<double> axis_weight(std::int64_t window, const WindowSpec& spec) {
  std::vector<double> w(static_cast<std::size_t>(window), 1.0);
  const double centre = double(window - 1) / 2, sigma = spec.gaussian_share * double(window);
  for (std::int64_t i = 0; spec.gaussian && i < window; ++i)
    w[std::size_t(i)] = std::exp(-0.5 * std::pow((double(i) - centre) / sigma, 2));
  return w;
}

/// Sum of the weights of all windows over each voxel of an axis, without the padding.
std::vector<double> total_weight(const std::vector<std::int64_t>& starts, const std::vector<double>& weight,
                                 std::int64_t before, std::int64_t length) {
  std::vector<double> total(static_cast<std::size_t>(length), 0.0);
  for (std::int64_t s : starts)
    for (std::size_t i = 0; i < weight.size(); ++i) {
      const std::int64_t at = s + std::int64_t(i) - before;
      if (at >= 0 && at < length) total[std::size_t(at)] += weight[i];
    }
  return total;
}

/// The part of a window inside the volume: window voxels [first, last) along an axis.
struct Inside {
  std::int64_t first[3], last[3], shift[3];  // volume voxel = window voxel + shift
  Inside(const Extents& start, const WindowPlan& plan, const Extents& window, const Extents& volume) {
    for (int a = 0; a < 3; ++a) {
      shift[a] = start[a] - plan.before[a];
      first[a] = std::max<std::int64_t>(0, -shift[a]);
      last[a] = std::min(window[a], volume[a] - shift[a]);
    }
  }
};

/// f(window row begin, volume row begin) for every row along the last axis; offsets in voxels of the row's first voxel.
template <class F>
void for_each_row(const Inside& in, const Extents& window, const Extents& volume, F&& f) {
  const std::int64_t rows = in.last[1] - in.first[1];
  engine::parallel_for((in.last[0] - in.first[0]) * rows, 1024, [&](std::int64_t r) {
    const Extents p{{in.first[0] + r / rows, in.first[1] + r % rows, in.first[2]}};
    f(p, engine::join(0, p, window),
      engine::join(0, {{p[0] + in.shift[0], p[1] + in.shift[1], p[2] + in.shift[2]}}, volume));
  });
}

}  // namespace

namespace {

void check(const Tensor& volume, const WindowSpec& spec) {
  require(volume.shape().rank() == 4, "sliding_window: expected [D,H,W,channels], got {}", volume.shape());
  for (int a = 0; a < 3; ++a)
    require<UsageError>(spec.stride[a] > 0 && spec.stride[a] <= spec.window[a],
                        "sliding_window: stride {} along axis {} must lie in [1, {}]", spec.stride[a], a, spec.window[a]);
  require<UsageError>(spec.batch > 0, "sliding_window: {} windows per call", spec.batch);
}

/// The sums of the planes that windows still reach. Windows come in order of their first plane, so a plane is finished once
/// a window begins behind it; its place is then used again by a plane further on.
class Sums {
 public:
  Sums(const WindowPlan& plan, const WindowSpec& spec, const Extents& size, const PlaneSink& finished)
      : plan_(plan), window_(spec.window), size_(size), finished_(finished), held_(std::min(window_[0], size[0])) {
    for (int a = 0; a < 3; ++a) {
      weight_[a] = axis_weight(window_[a], spec);
      total_[a] = total_weight(plan.starts[a], weight_[a], plan.before[a], size[a]);
    }
  }

  /// Adds the probabilities [window, C] of the window that starts at `start`, number `b` of p.
  void add(const Extents& start, const Tensor& p, std::int64_t b) {
    const std::int64_t C = p.shape()[4];
    if (!sums_.defined()) sums_ = Tensor::zeros({held_, size_[1], size_[2], C}, p.dtype());
    require(sums_.shape()[3] == C, "sliding_window: {} classes after {}", C, sums_.shape()[3]);
    const Inside in(start, plan_, window_, size_);
    finish(in.first[0] + in.shift[0]);
    visit_float(p.dtype(), [&]<class T>(Type<T>) {
      for_each_row(in, window_, size_, [&](const Extents& at, std::int64_t from, std::int64_t to) {
        const T* source = p.data<T>() + (b * window_.volume() + from) * C;
        T* sum = sums_.data<T>() + to % (held_ * plane()) * C;
        const double row = weight_[0][std::size_t(at[0])] * weight_[1][std::size_t(at[1])];
        for (std::int64_t i = in.first[2]; i < in.last[2]; ++i) {
          const T w = T(row * weight_[2][std::size_t(i)]);
          for (std::int64_t c = 0; c < C; ++c) *sum++ += w * *source++;
        }
      });
    });
  }

  /// Hands out the means of all planes before `end`.
  void finish(std::int64_t end) {
    for (; done_ < end; ++done_)
      visit_float(sums_.dtype(), [&]<class T>(Type<T>) {
        const std::int64_t C = sums_.shape()[3];
        Tensor mean = Tensor::empty({1, size_[1], size_[2], C}, sums_.dtype());
        T* sum = sums_.data<T>() + done_ % held_ * plane() * C;
        engine::parallel_for(plane(), 1 << 14, [&](std::int64_t i) {
          const double weight =
              total_[0][std::size_t(done_)] * total_[1][std::size_t(i / size_[2])] * total_[2][std::size_t(i % size_[2])];
          for (std::int64_t c = i * C; c < (i + 1) * C; ++c) mean.data<T>()[c] = T(sum[c] / weight), sum[c] = 0;
        });
        finished_(mean);
      });
  }

 private:
  std::int64_t plane() const { return size_[1] * size_[2]; }
  const WindowPlan& plan_;
  Extents window_, size_;
  const PlaneSink& finished_;
  std::int64_t held_, done_ = 0;  // planes in memory, planes handed out
  std::vector<double> weight_[3], total_[3];
  Tensor sums_;  // [held, H, W, C]; plane d lies at d % held
};

}  // namespace

void sliding_window(const Tensor& volume, const WindowSpec& spec, const Probabilities& probabilities,
                    const PlaneSink& finished, const WindowCount& count) {
  check(volume, spec);
  const Shape& s = volume.shape();
  const Extents size{{s[0], s[1], s[2]}}, window = spec.window;
  const WindowPlan plan = plan_windows(size, spec);
  const std::vector<Extents> windows = plan.all();
  Sums sums(plan, spec, size, finished);
  const Tensor host = volume.to(Device::cpu());
  const std::int64_t channels = s[3];
  for (std::size_t first = 0; first < windows.size(); first += std::size_t(spec.batch)) {
    const std::int64_t n = std::min<std::int64_t>(spec.batch, std::int64_t(windows.size() - first));
    Tensor x = Tensor::zeros({n, window[0], window[1], window[2], channels}, volume.dtype());
    visit_float(volume.dtype(), [&]<class T>(Type<T>) {
      for (std::int64_t b = 0; b < n; ++b) {
        const Inside in(windows[first + std::size_t(b)], plan, window, size);
        for_each_row(in, window, size, [&](const Extents&, std::int64_t to, std::int64_t from) {
          std::copy_n(host.data<T>() + from * channels, (in.last[2] - in.first[2]) * channels,
                      x.data<T>() + (b * window.volume() + to) * channels);
        });
      }
    });
    const Tensor p = probabilities(x).to(Device::cpu());
    require(p.shape().rank() == 5 && p.shape().with(4, channels) == x.shape() && p.dtype() == volume.dtype(),
            "sliding_window: windows {} {} gave probabilities {} {}", x.dtype(), x.shape(), p.dtype(), p.shape());
    for (std::int64_t b = 0; b < n; ++b) sums.add(windows[first + std::size_t(b)], p, b);
    if (count) count(std::int64_t(first) + n, std::int64_t(windows.size()));
  }
  sums.finish(size[0]);
}

}  // namespace sagcl::semiagcl
