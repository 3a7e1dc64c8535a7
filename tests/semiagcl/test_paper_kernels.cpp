#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/random.h"
#include "semiagcl/kernels/backend.h"
#include "tests/cases/kernel_cases.h"
#include "tests/support/golden.h"

namespace sagcl::tests {
namespace {

using engine::Dtype;
using engine::Extents;
using engine::Generator;
using engine::Shape;
using namespace semiagcl;
using Doubles = std::vector<double>;
using Ints = std::vector<std::int32_t>;

PaperBackend& cpu() { return paper_backend(engine::Device::cpu()); }

Tensor of(const Shape& shape, const Doubles& values, Dtype dtype) { return Tensor::of(shape, values).to(dtype); }
Ints ints(const Tensor& t) { return t.to_vector<std::int32_t>(); }

Tensor picks_of(const Shape& shape, std::int64_t below) {
  Generator random(4, "picks");
  Ints picks(std::size_t(shape.size()));
  for (std::int32_t& p : picks) p = std::int32_t(random.integer(below));
  return Tensor::of(shape, picks);
}

class PaperKernels : public testing::TestWithParam<Dtype> {};
INSTANTIATE_TEST_SUITE_P(Floats, PaperKernels, testing::Values(Dtype::f32, Dtype::f64),
                         [](const auto& d) { return engine::to_string(d.param); });

// --- patches -------------------------------------------------------------------------------------

/// f(voxel) for the voxels of a patch of the batch, in order.
template <class F>
void each_voxel(std::int64_t patch, const Extents& size, const Extents& grid, F f) {
  Extents at, p;
  const std::int64_t image = patch / grid.volume();
  engine::split(patch % grid.volume(), grid, at);
  for (p[0] = at[0] * size[0] / grid[0]; p[0] < (at[0] + 1) * size[0] / grid[0]; ++p[0])
    for (p[1] = at[1] * size[1] / grid[1]; p[1] < (at[1] + 1) * size[1] / grid[1]; ++p[1])
      for (p[2] = at[2] * size[2] / grid[2]; p[2] < (at[2] + 1) * size[2] / grid[2]; ++p[2])
        f(p, engine::join(image, p, size));
}

double entropy(double v) { return -((v > 0 ? v * std::log(v) : 0) + (v < 1 ? (1 - v) * std::log(1 - v) : 0)); }

TEST_P(PaperKernels, PatchMeans) {
  const Extents size{{4, 30, 24}}, grid{{2, 3, 4}};
  Tensor wide = normal_values({2, 4, 30, 24, 3}, Dtype::f64, "c", 0.3, 0.5),
         grey = normal_values({2, 4, 30, 24, 1}, Dtype::f64, "x", 0.3, 0.5);
  for (Tensor* t : {&wide, &grey})
    // 0 and 1 among them
    for (std::int64_t i = 0; i < t->size(); ++i) t->data<double>()[i] = std::clamp(t->data<double>()[i], 0.0, 1.0);
  const Tensor c = wide.to(GetParam()), x = grey.to(GetParam());
  const Doubles cs = c.to_doubles(), xs = x.to_doubles();
  for (const bool with_image : {false, true})
    for (const PatchMean f : {PatchMean::value, PatchMean::entropy, PatchMean::clamped_entropy}) {
      Tensor y = Tensor::empty({2, 24, 3}, GetParam());
      cpu().patch_means(f, grid, with_image ? x : Tensor(), c, y);
      Doubles want;
      for (std::int64_t patch = 0; patch < 48; ++patch)
        for (std::int64_t k = 0; k < 3; ++k) {
          double sum = 0;
          each_voxel(patch, size, grid, [&](const Extents&, std::int64_t v) {
            const double value = cs[std::size_t(v * 3 + k)] * (with_image ? xs[std::size_t(v)] : 1);
            sum +=
                f == PatchMean::value ? value : entropy(f == PatchMean::entropy ? value : std::clamp(value, 1e-6, 1 - 1e-6));
          });
          want.push_back(sum / double(size.volume() / 24));
        }
      EXPECT_TRUE(close(y, Tensor::of({2, 24, 3}, want), GetParam() == Dtype::f32 ? 1e-6 : 1e-14));
    }
}

TEST_P(PaperKernels, AttendedPatches) {
  const Extents size{{4, 6, 10}}, grid{{2, 3, 2}};
  const Tensor x = normal_values({2, 4, 6, 10, 2}, GetParam(), "x"), c = normal_values({2, 4, 6, 10, 3}, GetParam(), "c"),
               picks = picks_of({3, 5}, 24);
  Tensor y = Tensor::empty({15, 2, 2, 5, 2}, GetParam());
  cpu().attended_patches(grid, x, c, picks, y);
  const Doubles xs = x.to_doubles(), cs = c.to_doubles(), ours = y.to_doubles();
  auto next = ours.begin();
  for (std::int64_t i = 0; i < 15; ++i)
    each_voxel(ints(picks)[std::size_t(i)], size, grid, [&](const Extents&, std::int64_t v) {
      for (std::int64_t j = 0; j < 2; ++j, ++next) {
        const double want = xs[std::size_t(v * 2 + j)] * cs[std::size_t(v * 3 + i / 5)];
        EXPECT_EQ(*next, GetParam() == Dtype::f32 ? double(float(want)) : want);
      }
    });
}

TEST_P(PaperKernels, PatchWeights) {
  const Extents size{{4, 30, 24}};
  for (const Extents& grid : {Extents{{2, 3, 4}}, Extents{{1, 1, 1}}, Extents{{4, 5, 2}}})
    for (const Extents& cells :
         {Extents{{1, 1, 1}}, Extents{{2, 3, 4}}, Extents{{3, 7, 5}}, Extents{{4, 30, 24}}, Extents{{5, 31, 2}}}) {
      const Tensor picks = picks_of({2, 3}, 2 * grid.volume());
      Tensor wide = Tensor::zeros({2, 4, 30, 24, 2}, Dtype::f64);
      const Tensor drawn = normal_values({2, 4, 30, 24, 2}, Dtype::f64, "c");
      for (std::int64_t i = 0; i < wide.size(); ++i) wide.data<double>()[i] = std::abs(drawn.data<double>()[i]);
      const std::int32_t empty = ints(picks)[0];  // class 0 has no weight in this patch
      each_voxel(empty, size, grid, [&](const Extents&, std::int64_t v) { wide.data<double>()[v * 2] = 0; });
      const Tensor c = wide.to(GetParam());
      const std::int64_t columns = 2 * cells.volume();
      Tensor w = Tensor::empty({6, columns}, GetParam());
      cpu().patch_weights(grid, cells, c, picks, w);
      Doubles want(std::size_t(6 * columns));
      const Doubles cs = c.to_doubles();
      for (std::int64_t i = 0; i < 6; ++i) {
        const std::int64_t patch = ints(picks)[std::size_t(i)], image = patch / grid.volume();
        double total = 0;
        each_voxel(patch, size, grid, [&](const Extents& p, std::int64_t v) {
          Extents cell;
          for (int a = 0; a < 3; ++a) cell[a] = p[a] * cells[a] / size[a];
          const double value = cs[std::size_t(v * 2 + i / 3)];
          want[std::size_t(i * columns + engine::join(image, cell, cells))] += value, total += value;
        });
        for (std::int64_t j = 0; j < columns; ++j) want[std::size_t(i * columns + j)] /= total > 0 ? total : 1;
      }
      EXPECT_TRUE(close(w, Tensor::of({6, columns}, want), GetParam() == Dtype::f32 ? 1e-7 : 1e-13))
          << engine::to_string(grid) << ", " << engine::to_string(cells);
      EXPECT_EQ(w.to_doubles()[0], 0);
    }
}

// --- keys of contrastive learning ----------------------------------------------------------------

struct Ring {
  Ints count;
  std::int64_t S;
  Doubles affinity;
};

KeyRing ring_of(const Ring& r, std::int64_t dim, Dtype dtype, const Ints& next = {}) {
  const std::int64_t K = std::int64_t(r.count.size());
  return {normal_values({K, r.S, dim}, dtype, "keys"), of({K, r.S}, r.affinity, dtype), Tensor::of({K}, r.count),
          Tensor::of({K}, next.empty() ? Ints(std::size_t(K)) : next)};
}

Ring random_ring(const Ints& count, std::int64_t S, std::uint64_t seed) {
  Generator random(seed, "ring");
  Ring r{count, S, Doubles(count.size() * std::size_t(S), NAN)};
  for (std::size_t k = 0; k < count.size(); ++k)
    for (std::int32_t s = 0; s < count[k]; ++s)
      r.affinity[k * std::size_t(S) + std::size_t(s)] = double(random.integer(9)) / 8;
  return r;
}

Closest places(std::int64_t B, std::int64_t n) {
  return {Tensor::empty({B, n}, Dtype::i32), Tensor::empty({B}, Dtype::i32), Tensor::empty({B}, Dtype::i32)};
}

void expect_closest(const Ring& r, const Doubles& score, std::int64_t per_class, std::int64_t n, double theta, Dtype dtype) {
  const std::int64_t K = std::int64_t(r.count.size()), B = K * per_class, all = K * r.S;
  Closest c = places(B, n);
  cpu().closest_keys(ring_of(r, 2, dtype), of({1}, {theta}, dtype), of({B, all}, score, dtype), c);
  for (std::int64_t b = 0; b < B; ++b) {
    Ints slots;
    for (std::int64_t i = 0; i < all; ++i)
      if (i / r.S != b / per_class && i % r.S < r.count[std::size_t(i / r.S)]) slots.push_back(std::int32_t(i));
    const auto s = [&](std::int32_t i) { return score[std::size_t(b * all + i)]; };
    std::stable_sort(slots.begin(), slots.end(), [&](std::int32_t i, std::int32_t j) {
      return std::isnan(s(i)) || std::isnan(s(j)) ? !std::isnan(s(i)) && std::isnan(s(j)) : s(i) > s(j);
    });
    if (std::int64_t(slots.size()) > n) slots.resize(std::size_t(n));
    std::sort(slots.begin(), slots.end());
    const auto middle = std::stable_partition(slots.begin(), slots.end(),
                                              [&](std::int32_t i) { return r.affinity[std::size_t(i)] <= theta; });
    const std::int64_t low = middle - slots.begin(), found = std::int64_t(slots.size());
    slots.resize(std::size_t(n), -1);
    const Ints ours = ints(c.slots);
    ASSERT_EQ(Ints(ours.begin() + b * n, ours.begin() + (b + 1) * n), slots) << "anchor " << b;
    EXPECT_EQ(ints(c.count)[std::size_t(b)], found);
    EXPECT_EQ(ints(c.allowed)[std::size_t(b)], low < 2 ? found : low);
  }
}

TEST_P(PaperKernels, ClosestKeysAreThoseOfSorting) {
  Generator random(6, "score");
  for (const Ints& count : {Ints{50, 50, 50}, Ints{50, 7, 0}, Ints{0, 0, 3}, Ints{0, 0, 0}, Ints{1, 0, 0}})
    for (const std::int64_t n : {1, 5, 57, 99, 100, 101, 120})
      for (const bool ties : {false, true}) {
        const Ring r = random_ring(count, 50, 9);
        Doubles score(std::size_t(6 * 150));
        for (double& v : score)
          v = random.coin(0.05) ? NAN : ties ? double(random.integer(4)) - 1.5 : double(float(random.normal()));
        for (const double theta : {-1.0, 0.1, 2.0}) expect_closest(r, score, 2, n, theta, GetParam());
      }
}

TEST_P(PaperKernels, ClosestKeysOfEqualScoresAreTheLowerSlots) {
  expect_closest(random_ring({40, 33}, 40, 3), Doubles(2 * 80, 0.5), 1, 10, 0.5, GetParam());
  Doubles zeros(2 * 80);
  for (std::size_t i = 0; i < zeros.size(); i += 2) zeros[i] = -0.0;
  expect_closest(random_ring({40, 33}, 40, 3), zeros, 1, 10, 0.5, GetParam());
  expect_closest(random_ring({40, 33}, 40, 3), Doubles(2 * 80, NAN), 1, 10, 0.5, GetParam());
}

TEST_P(PaperKernels, Mixtures) {
  const std::int64_t dim = 21, H = 9, n = 12, B = 6;
  const Ring r = random_ring({30, 2, 0}, 30, 4);
  const KeyRing ring = ring_of(r, dim, GetParam());
  Closest c = places(B, n);
  cpu().closest_keys(ring, of({1}, {0.4}, GetParam()), normal_values({B, 90}, GetParam(), "score"), c);
  const engine::RandomKey key = Generator(3, "mixtures").next_key();
  const Doubles keys = ring.keys.to_doubles(), affinity = ring.affinity.to_doubles();
  for (const MixWeight weight : {MixWeight::affinity, MixWeight::half, MixWeight::random}) {
    Tensor y = Tensor::full({B, H, dim}, NAN, GetParam());
    cpu().mixtures(weight, key, ring, c, y);
    Doubles want;
    for (std::int64_t b = 0; b < B; ++b)
      for (std::int64_t h = 0; h < H; ++h) {
        const auto draw = [&](int which) { return double(engine::unit(key.word(std::uint64_t(3 * (b * H + h) + which)))); };
        const auto slot = [&](int which, const Tensor& count) {
          return std::size_t(ints(c.slots)[std::size_t(b * n + std::int64_t(draw(which) * ints(count)[std::size_t(b)]))]);
        };
        const std::size_t i = slot(0, c.allowed), j = slot(1, c.count);
        const double w = weight == MixWeight::affinity ? affinity[i] : weight == MixWeight::half ? 0.5 : draw(2);
        Doubles mixed;
        double length = 0;
        for (std::size_t d = 0; d < std::size_t(dim); ++d) {
          mixed.push_back(w * keys[i * std::size_t(dim) + d] + (1 - w) * keys[j * std::size_t(dim) + d]);
          length += mixed.back() * mixed.back();
        }
        for (double v : mixed) want.push_back(v / std::sqrt(length));
      }
    EXPECT_TRUE(close(y, Tensor::of({B, H, dim}, want), GetParam() == Dtype::f32 ? 1e-7 : 1e-14));
  }
}

TEST_P(PaperKernels, MixturesOfNothingAreZero) {
  const KeyRing ring = ring_of(random_ring({3, 0}, 4, 1), 5, GetParam());
  Closest c = places(2, 4);
  cpu().closest_keys(ring, of({1}, {0.5}, GetParam()), normal_values({2, 8}, GetParam(), "score"), c);
  EXPECT_EQ(ints(c.count), (Ints{0, 3}));
  Tensor y = Tensor::full({2, 40, 5}, NAN, GetParam());
  cpu().mixtures(MixWeight::half, {}, ring, c, y);
  const Doubles values = y.to_doubles();
  EXPECT_TRUE(std::all_of(values.begin(), values.begin() + 200, [](double v) { return v == 0; }));
  for (std::size_t row = 40; row < 80; ++row) {
    double squares = 0;
    for (std::size_t d = 0; d < 5; ++d) squares += values[row * 5 + d] * values[row * 5 + d];
    EXPECT_NEAR(squares, 1, 1e-6);
  }
  // Two opposite keys have no direction between them: what is left is divided by 1e-12, not by 0.
  KeyRing opposite{of({2, 2, 1}, {0, 0, 1, -1}, GetParam()), of({2, 2}, {0, 0, 1, 1}, GetParam()),
                   Tensor::of<std::int32_t>({2}, {0, 2}), Tensor::zeros({2}, Dtype::i32)};
  Closest two{Tensor::of<std::int32_t>({1, 2}, {2, 3}), Tensor::of<std::int32_t>({1}, {2}),
              Tensor::of<std::int32_t>({1}, {2})};
  Tensor mixed = Tensor::empty({1, 64, 1}, GetParam());
  cpu().mixtures(MixWeight::half, {}, opposite, two, mixed);
  for (double v : mixed.to_doubles()) EXPECT_TRUE(v == 0 || std::abs(v) == 1) << v;
}

TEST_P(PaperKernels, ContrastWeights) {
  const KeyRing ring = ring_of(random_ring({5, 2, 0}, 5, 1), 1, GetParam());
  Tensor w = Tensor::full({6, 6}, NAN, GetParam());
  // Others of the classes hold 2, 5 and 7 keys: with at least 3, classes 1 and 2 count, with 1 and 2 anchors.
  cpu().contrast_weights(3, Tensor::of<std::int32_t>({3}, {2, 1, 2}), ring, w);
  const double a = 1.0 / 3, b = 1.0 / 6;
  EXPECT_TRUE(close(w, Tensor::of<double>({6, 6}, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, 0, 0, 0,
                                                   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b, b, 0, 0, 0, 0, b, b}),
                    1e-7));
  cpu().contrast_weights(8, Tensor::of<std::int32_t>({3}, {2, 1, 2}), ring, w);
  EXPECT_EQ(w.to_doubles(), Doubles(36));
  cpu().contrast_weights(0, Tensor::of<std::int32_t>({3}, {0, 0, 0}), ring, w);
  EXPECT_EQ(w.to_doubles(), Doubles(36));
}

TEST_P(PaperKernels, OtherClasses) {
  Tensor mask = Tensor::empty({4, 6}, GetParam());
  cpu().other_classes(ring_of(random_ring({3, 1}, 3, 1), 1, GetParam()), mask);
  const double no = GetParam() == Dtype::f32 ? double(-1e30f) : -1e30;
  EXPECT_EQ(mask.to_doubles(),
            (Doubles{no, no, no, 0, no, no, no, no, no, 0, no, no, 0, 0, 0, no, no, no, 0, 0, 0, no, no, no}));
}

TEST_P(PaperKernels, StoreKeys) {
  for (const std::int64_t S : {1, 3, 4, 9}) {
    KeyRing ring = ring_of({{0, 0}, S, Doubles(std::size_t(2 * S), NAN)}, 2, GetParam());
    std::vector<Doubles> held[2];  // key and affinity by slot, as pushing one by one leaves them
    std::size_t next[2] = {};
    for (auto& h : held) h.resize(std::size_t(S));
    for (std::int32_t step = 0; step < 7; ++step) {
      const Tensor keys = normal_values({14, 2}, GetParam(), "rows", 1, step),
                   affinity = normal_values({20}, GetParam(), "affinity", 1, step), picks = picks_of({2, 7}, 20),
                   counted = Tensor::of<std::int32_t>({2}, {step, 7 - step});
      const Doubles rows = keys.to_doubles(), a = affinity.to_doubles();
      for (const double open : {0.0, 1.0}) {
        const KeyRing before{ring.keys.clone(), ring.affinity.clone(), ring.count.clone(), ring.next.clone()};
        cpu().store_keys(keys, picks, counted, affinity, step % 2 && open != 0 ? Tensor() : number(open), ring);
        if (open != 0) continue;
        EXPECT_TRUE(identical(ring.keys, before.keys) && identical(ring.affinity, before.affinity));
        EXPECT_TRUE(identical(ring.count, before.count) && identical(ring.next, before.next));
      }
      for (std::size_t k = 0; k < 2; ++k) {
        for (std::size_t i = 0; i < std::size_t(ints(counted)[k]); ++i) {
          const std::size_t r = k * 7 + i;
          held[k][next[k]] = {rows[2 * r], rows[2 * r + 1], a[std::size_t(ints(picks)[r])]};
          next[k] = (next[k] + 1) % std::size_t(S);
        }
        std::int32_t count = 0;
        for (std::size_t s = 0; s < std::size_t(S); ++s) {
          const std::size_t slot = k * std::size_t(S) + s;
          if (held[k][s].empty()) continue;
          ++count;
          const Doubles stored = ring.keys.to_doubles();
          EXPECT_EQ(held[k][s], (Doubles{stored[2 * slot], stored[2 * slot + 1], ring.affinity.to_doubles()[slot]}));
        }
        EXPECT_EQ(ints(ring.count)[k], count);
        EXPECT_EQ(ints(ring.next)[k], std::int32_t(next[k]));
      }
    }
  }
}

TEST_P(PaperKernels, MoveThreshold) {
  const auto moved = [](double theta, double was_moved, double median, double decay, bool from_first, const Tensor& open) {
    Tensor state = of({2}, {theta, was_moved}, GetParam());
    cpu().move_threshold(decay, from_first, 0.125, 0.875, of({1}, {median}, GetParam()), open, state);
    return state.to_doubles();
  };
  EXPECT_EQ(moved(0.5, 0, 0.75, 0.5, false, {}), (Doubles{0.625, 1}));
  EXPECT_EQ(moved(0.5, 0, 0.75, 0.5, true, {}), (Doubles{0.75, 1}));
  EXPECT_EQ(moved(0.5, 1, 0.75, 0.5, true, number(1)), (Doubles{0.625, 1}));
  EXPECT_EQ(moved(0.5, 0, 1, 0, false, {}), (Doubles{0.875, 1}));
  EXPECT_EQ(moved(0.5, 0, 0, 0, false, {}), (Doubles{0.125, 1}));
  EXPECT_EQ(moved(0.5, 0, NAN, 0.5, true, {}), (Doubles{0.5, 0}));
  EXPECT_EQ(moved(0.5, 0, 0.75, 0.5, true, number(0)), (Doubles{0.5, 0}));
}

}  // namespace
}  // namespace sagcl::tests
