#pragma once
#include <vector>

#include "ops/gather.h"
#include "semiagcl/hard_negatives.h"
#include "tests/support/golden.h"

namespace sagcl::tests {

/// Weights [lists, R] of Contrast: each anchor's positives, equal and 1 in sum.
inline Tensor weights_of(const std::vector<std::vector<std::int64_t>>& positives, std::int64_t R, engine::Dtype dtype) {
  const std::int64_t B = std::int64_t(positives.size());
  std::vector<double> w(std::size_t(B * R), 0.0);
  for (std::int64_t b = 0; b < B; ++b)
    for (std::int64_t r : positives[std::size_t(b)])
      w[std::size_t(b * R + r)] += 1 / double(positives[std::size_t(b)].size());
  return Tensor::of({B, R}, w).to(dtype);
}

/// Each anchor's own key is its positive.
inline Tensor itself(std::int64_t n, engine::Dtype dtype) {
  std::vector<std::vector<std::int64_t>> lists;
  for (std::int64_t i = 0; i < n; ++i) lists.push_back({i});
  return weights_of(lists, n, dtype);
}

/// Eq. 6 of given pairs: rows of n_i and n_j [pairs, dim], the weight of each n_i -> [pairs, dim]. A pair is the only
/// content of its anchor: n_i is all that is allowed, and n_j is drawn from the two, so of many mixtures one that drew it is
/// taken.
inline Tensor mixed(const Tensor& n_i, const Tensor& n_j, const std::vector<double>& weight,
                    semiagcl::Mixing mixing = semiagcl::Mixing::affinity) {
  const std::int64_t P = n_i.shape()[0], dim = n_i.shape()[1];
  const std::vector<double> first = n_i.to_doubles(), second = n_j.to_doubles();
  std::vector<double> keys, affinity;
  std::vector<std::int32_t> slots;
  for (std::int64_t p = 0; p < P; ++p) {
    keys.insert(keys.end(), first.begin() + p * dim, first.begin() + (p + 1) * dim);
    keys.insert(keys.end(), second.begin() + p * dim, second.begin() + (p + 1) * dim);
    affinity.insert(affinity.end(), {weight[std::size_t(p)], 0.123});
    slots.insert(slots.end(), {std::int32_t(2 * p), std::int32_t(2 * p + 1)});
  }
  const auto count = [](std::int64_t n, std::int32_t value) {
    return Tensor::of({n}, std::vector<std::int32_t>(std::size_t(n), value));
  };
  const semiagcl::KeyRing ring{Tensor::of({1, 2 * P, dim}, keys).to(n_i.dtype()),
                               Tensor::of({1, 2 * P}, affinity).to(n_i.dtype()), count(1, std::int32_t(2 * P)), count(1, 0)};
  semiagcl::Method m;
  m.mixing = mixing, m.n_hard = 32;
  engine::Generator random(1, "mixtures of the test"), again = random;
  const std::vector<double> h =
      semiagcl::mixtures(ring, {Tensor::of({P, 2}, slots), count(P, 2), count(P, 1)}, m, random).to_doubles();
  const engine::RandomKey key = again.next_key();
  std::vector<double> taken;
  for (std::int64_t p = 0; p < P; ++p)
    for (std::int64_t r = p * m.n_hard; r < (p + 1) * m.n_hard; ++r)
      if (engine::unit(key.word(std::uint64_t(3 * r + 1))) >= 0.5f) {  // the second of two
        taken.insert(taken.end(), h.begin() + r * dim, h.begin() + (r + 1) * dim);
        break;
      }
  return Tensor::of({P, dim}, taken).to(n_i.dtype());
}

inline Tensor unit_rows(std::int64_t n, std::int64_t dim, std::uint64_t seed, engine::Dtype dtype = engine::Dtype::f64) {
  return ops::l2_normalise(autograd::Variable(random_tensor({n, dim}, seed, dtype))).value();
}

/// Rows of a golden matrix chosen by index, [indices, dim].
inline Tensor rows(const Tensor& x, const std::vector<std::int64_t>& index) {
  const std::vector<double> v = x.to_doubles();
  const std::int64_t dim = x.shape()[1];
  std::vector<double> out;
  for (std::int64_t i : index) out.insert(out.end(), v.begin() + i * dim, v.begin() + (i + 1) * dim);
  return Tensor::of({std::int64_t(index.size()), dim}, out);
}

/// Settings of a small contrast.
inline semiagcl::Method small() {
  semiagcl::Method m;
  m.bank_size = 6, m.projection_dim = 4, m.n_closest = 4, m.n_hard = 5, m.min_negatives = 2;
  return m;
}

inline Tensor integers(const engine::Shape& shape, const std::vector<std::int32_t>& values) {
  return Tensor::of(shape, values);
}

inline semiagcl::MemoryBank bank_of(std::int64_t classes, const semiagcl::Method& m) {
  return semiagcl::MemoryBank(classes, m, engine::Device::cpu(), engine::Dtype::f64);
}

}  // namespace sagcl::tests
