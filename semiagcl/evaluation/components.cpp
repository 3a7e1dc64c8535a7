#include "semiagcl/evaluation/components.h"

#include <algorithm>
#include <vector>

#include "engine/extents.h"

namespace sagcl::semiagcl {

using engine::Extents;

namespace {

/// Neighbouring voxels of a row that are inside. `parent` is another run of its component, or itself: the first one.
struct Run {
  std::int64_t begin;  // voxel
  std::int32_t length, parent;
};

/// The runs of a mask, joined to components: much less than a number for every voxel.
class Runs {
 public:
  template <class Inside>
  Runs(const Extents& size, Inside&& inside) : size_(size) {
    for (std::int64_t row = 0; row < size[0] * size[1]; ++row) {
      first_.push_back(std::int64_t(runs_.size()));
      const std::int64_t begin = row * size[2], end = begin + size[2];
      for (std::int64_t v = begin; v < end;) {
        std::int64_t last = v;
        while (last < end && inside(last)) ++last;
        if (last > v) runs_.push_back({v, std::int32_t(last - v), std::int32_t(runs_.size())});
        v = last + 1;
      }
      const std::int64_t d = row / size[1], h = row % size[1];  // the rows before it that touch it
      if (h > 0) join(row - 1, row);
      for (std::int64_t g = std::max<std::int64_t>(h - 1, 0); d > 0 && g <= std::min(h + 1, size[1] - 1); ++g)
        join((d - 1) * size[1] + g, row);
    }
  }

  /// f(run, number of its component): 0, 1, ... in order of their first voxels.
  template <class F>
  void each(F&& f) {
    std::vector<std::int32_t> number(runs_.size());
    std::int32_t count = 0;
    for (std::int32_t r = 0; r < std::int32_t(runs_.size()); ++r) {
      const std::int32_t root = root_of(r);  // the first run of a component comes first
      number[std::size_t(r)] = root == r ? count++ : number[std::size_t(root)];
      f(runs_[std::size_t(r)], std::size_t(number[std::size_t(r)]));
    }
  }

 private:
  std::int32_t root_of(std::int32_t r) {
    while (at(r).parent != r) r = at(r).parent = at(at(r).parent).parent;
    return r;
  }
  Run& at(std::int64_t r) { return runs_[std::size_t(r)]; }

  /// Joins what touches by a face, an edge or a corner, of two rows of which `row` is the last so far.
  void join(std::int64_t before, std::int64_t row) {
    const std::int64_t shift = (row - before) * size_[2];
    std::int64_t a = first_[std::size_t(before)], b = first_.back();
    const std::int64_t a_end = first_[std::size_t(before) + 1], b_end = std::int64_t(runs_.size());
    while (a < a_end && b < b_end) {
      const std::int64_t a0 = at(a).begin + shift, a1 = a0 + at(a).length, b0 = at(b).begin, b1 = b0 + at(b).length;
      if (a0 <= b1 && b0 <= a1) {
        const std::int32_t one = root_of(std::int32_t(a)), other = root_of(std::int32_t(b));
        at(std::max(one, other)).parent = std::min(one, other);
      }
      ++(a1 < b1 ? a : b);
    }
  }

  Extents size_;
  std::vector<Run> runs_;
  std::vector<std::int64_t> first_;  // run of every row
};

Extents size_of(const Tensor& mask) {
  const engine::Shape& s = mask.shape();
  engine::require(s.rank() == 2 || s.rank() == 3, "components: a label must be [H,W] or [D,H,W], got {}", s);
  return s.rank() == 2 ? Extents{{1, s[0], s[1]}} : Extents{{s[0], s[1], s[2]}};
}

/// Makes background of the components of class `k` whose sizes, counted by number, `goes` says so of.
template <class Goes>
void drop(Tensor& label, std::uint8_t k, Goes&& goes) {
  std::uint8_t* const p = label.data<std::uint8_t>();
  Runs runs(size_of(label), [&](std::int64_t v) { return p[v] == k; });
  std::vector<std::int64_t> sizes;
  runs.each([&](const Run& run, std::size_t component) {
    sizes.resize(std::max(sizes.size(), component + 1));
    sizes[component] += run.length;
  });
  const std::vector<bool> gone = goes(sizes);
  runs.each([&](const Run& run, std::size_t component) {
    if (gone[component]) std::fill_n(p + run.begin, run.length, std::uint8_t(0));
  });
}

}  // namespace

void keep_largest_component(Tensor& label, std::uint8_t k) {
  drop(label, k, [](const std::vector<std::int64_t>& sizes) {
    std::vector<bool> gone(sizes.size(), true);
    if (!gone.empty()) gone[std::size_t(std::max_element(sizes.begin(), sizes.end()) - sizes.begin())] = false;  // the first
    return gone;
  });
}

void drop_small_components(Tensor& label, std::uint8_t k, std::int64_t least) {
  drop(label, k, [&](const std::vector<std::int64_t>& sizes) {
    std::vector<bool> gone;
    for (const std::int64_t size : sizes) gone.push_back(size < least);
    return gone;
  });
}

}  // namespace sagcl::semiagcl
