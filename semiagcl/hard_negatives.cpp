#include "semiagcl/hard_negatives.h"

#include <algorithm>
#include <cmath>

#include "engine/parallel.h"
#include "semiagcl/sampling.h"

namespace sagcl::semiagcl {

using engine::Device;
using engine::require;
using engine::Type;
using engine::UsageError;

std::vector<std::vector<std::int64_t>> closest_keys(const Tensor& queries, const Tensor& keys, std::int64_t n_closest) {
  require(queries.shape().rank() == 2 && keys.shape().rank() == 2 && queries.shape()[1] == keys.shape()[1],
          "closest_keys: queries {} and keys {} must be [B, dim] and [M, dim]", queries.shape(), keys.shape());
  const Tensor q = queries.to(Device::cpu()), k = keys.to(Device::cpu()).to(queries.dtype());
  const std::int64_t B = q.shape()[0], M = k.shape()[0], dim = q.shape()[1];
  std::vector<std::vector<std::int64_t>> closest(static_cast<std::size_t>(B));
  visit_float(q.dtype(), [&]<class T>(Type<T>) {
    engine::parallel_for(B, 1, [&](std::int64_t b) {
      const T* anchor = q.data<T>() + b * dim;
      std::vector<double> similarity(static_cast<std::size_t>(M));
      for (std::int64_t r = 0; r < M; ++r) {
        const T* key = k.data<T>() + r * dim;
        T lane[8] = {};  // eight running sums in a fixed order: fast, and the same for every thread count
        std::int64_t i = 0;
        for (; i + 8 <= dim; i += 8)
          for (int l = 0; l < 8; ++l) lane[l] += anchor[i + l] * key[i + l];
        double s = 0;
        for (; i < dim; ++i) s += double(anchor[i]) * key[i];
        for (T v : lane) s += double(v);
        similarity[std::size_t(r)] = s;
      }
      closest[std::size_t(b)] = top_n(similarity, n_closest);
    });
  });
  return closest;
}

std::vector<std::uint8_t> allowed_by_threshold(const std::vector<std::int64_t>& closest, std::span<const double> affinity,
                                               double theta) {
  std::vector<std::uint8_t> allowed;
  for (std::int64_t r : closest) allowed.push_back(affinity[std::size_t(r)] <= theta);
  // Departs from the paper: it does not say what happens when no key lies below θ; then all the closest may be drawn.
  if (std::count(allowed.begin(), allowed.end(), 1) < 2) std::fill(allowed.begin(), allowed.end(), std::uint8_t(1));
  return allowed;
}

std::vector<Pair> draw_pairs(const std::vector<std::int64_t>& closest, const std::vector<std::uint8_t>& allowed,
                             std::int64_t n_hard, engine::Generator& random) {
  std::vector<std::int64_t> first;
  for (std::size_t c = 0; c < closest.size(); ++c)
    if (allowed[c]) first.push_back(closest[c]);
  require<UsageError>(!first.empty(), "draw_pairs: there is no key to draw from");
  std::vector<Pair> pairs;
  for (std::int64_t h = 0; h < n_hard; ++h) {
    const std::int64_t i = first[std::size_t(random.integer(std::int64_t(first.size())))];
    pairs.push_back({i, closest[std::size_t(random.integer(std::int64_t(closest.size())))]});
  }
  return pairs;
}

Tensor mix(const Tensor& n_i, const Tensor& n_j, std::span<const double> weight) {
  require(n_i.shape().rank() == 2 && n_i.shape() == n_j.shape() && n_i.shape()[0] == std::int64_t(weight.size()),
          "mix: {} and {} with {} weights must be [H, dim] twice and H", n_i.shape(), n_j.shape(), weight.size());
  const std::int64_t H = n_i.shape()[0], dim = n_i.shape()[1];
  const Tensor first = n_i.to(Device::cpu()), second = n_j.to(Device::cpu()).to(n_i.dtype());
  Tensor h = Tensor::empty(n_i.shape(), n_i.dtype());
  visit_float(h.dtype(), [&]<class T>(Type<T>) {
    engine::parallel_for(H, 256, [&](std::int64_t r) {
      const T *x = first.data<T>() + r * dim, *z = second.data<T>() + r * dim;
      const double w = weight[std::size_t(r)];
      double length = 0;
      for (std::int64_t d = 0; d < dim; ++d) length += std::pow(w * x[d] + (1 - w) * z[d], 2);
      length = std::max(std::sqrt(length), 1e-12);
      for (std::int64_t d = 0; d < dim; ++d) h.data<T>()[r * dim + d] = T((w * x[d] + (1 - w) * z[d]) / length);  // Eq. 6
    });
  });
  return h.to(n_i.device());
}

namespace {

/// Rows of a host tensor [M, dim].
Tensor rows_of(const Tensor& x, const std::vector<Pair>& pairs, std::int64_t Pair::*which) {
  const std::size_t bytes = std::size_t(x.shape()[1]) * bytes_of(x.dtype());
  Tensor y = Tensor::empty({std::int64_t(pairs.size()), x.shape()[1]}, x.dtype());
  for (std::size_t p = 0; p < pairs.size(); ++p)
    std::copy_n(static_cast<const char*>(x.bytes_begin()) + std::size_t(pairs[p].*which) * bytes, bytes,
                static_cast<char*>(y.bytes_begin()) + p * bytes);
  return y;
}

/// The weight of n_i in Eq. 6.
double mixing_weight(const Pair& pair, std::span<const double> affinity, Mixing mixing, engine::Generator& random) {
  switch (mixing) {
    // Departs from the paper: A_ii belongs to a patch of this batch and n_i to the bank, so each key keeps the affinity
    // its own patch had when it was stored.
    case Mixing::affinity: return affinity[std::size_t(pair.i)];
    case Mixing::one_to_one: return 0.5;
    case Mixing::random: return random.uniform();
    default: engine::fail<UsageError>("hard_negatives: mixing is none, so there is no L_RW to draw for");
  }
}

}  // namespace

Tensor hard_negatives(const Tensor& queries, const MemoryBank::Keys& others, double theta, const Method& m,
                      engine::Generator& random) {
  require<UsageError>(others.keys.shape()[0] > 0, "hard_negatives: the banks of all other classes are empty");
  const Tensor keys = others.keys.to(queries.dtype());
  std::vector<Pair> pairs;
  std::vector<double> weight;
  for (const std::vector<std::int64_t>& closest : closest_keys(queries, keys, m.n_closest)) {
    const std::vector<Pair> drawn =
        draw_pairs(closest, allowed_by_threshold(closest, others.affinity, theta), m.n_hard, random);
    for (const Pair& pair : drawn)
      pairs.push_back(pair), weight.push_back(mixing_weight(pair, others.affinity, m.mixing, random));
  }
  const Tensor h = mix(rows_of(keys, pairs, &Pair::i), rows_of(keys, pairs, &Pair::j), weight);
  return h.reshape({queries.shape()[0], m.n_hard, queries.shape()[1]}).to(queries.device());
}

}  // namespace sagcl::semiagcl
