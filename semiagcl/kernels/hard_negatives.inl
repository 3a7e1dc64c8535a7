#pragma once
// Section III-C on the device: the stored keys closest to each anchor, and their mixtures (Eq. 6).
#include <cmath>

#include "ops/kernels/radix_select.inl"
#include "semiagcl/kernels/backend.h"

namespace sagcl::semiagcl::kernels {

using namespace ops::kernels;

/// One group per anchor: selects the n largest scores by their digits, writes the slots in order, then moves those that the
/// threshold allows to the front.
template <class T>
struct ClosestKeys {
  using Key = typename KeyOf<T>::type;
  struct Shared {
    Ranks<Key> ranks;
    int count[1][digit_values], before[digit_values], chosen[digit_values];
  };
  /// The keys of one class, the largest score first; NaN last.
  struct Falling {
    const T* score;
    SAGCL_BOTH Key operator()(int s) const { return score[s] == score[s] ? Key(~rising(score[s])) : Key(~Key(0) - 1); }
  };
  int per_class, K, S, n;
  const std::int32_t* held;
  const T *affinity, *theta, *score;
  std::int32_t *in_order, *slots, *found, *allowed;

  template <class Group>
  SAGCL_GROUP void operator()(std::int64_t b, Shared& s, const Group& group) const {
    const int own = int(b) / per_class;
    const T* row = score + b * K * S;
    std::int32_t *ordered = in_order + b * n, *out = slots + b * n;
    int eligible = 0;
    for (int k = 0; k < K; ++k) eligible += k == own ? 0 : held[k];
    const int taken = eligible < n ? eligible : n;

    // All keys below the last one that is taken, and so many of those equal to it.
    Key last = ~Key(0);
    int equals = 0;
    if (eligible > n && n > 0) {
      if (group.thread() == 0)
        s.ranks.known = s.ranks.wanted = 1, s.ranks.begin[0] = 0, s.ranks.at[0] = 0, s.ranks.rank[0] = n - 1;
      group.sync();
      for (int digit = 0; digit < digits_of<Key>(); ++digit) {
        clear_counts(group, 1, s.count);
        group.sync();
        for (int k = 0; k < K; ++k)
          if (k != own) count_digits(group, s.ranks, digit, held[k], Falling{row + k * S}, s.count);
        group.sync();
        add_up(group, s.count[0], digit_values);
        next_digit(group, s.ranks, s.count);
      }
      last = s.ranks.begin[0], equals = s.ranks.rank[0] + 1;
    }

    // In order: each thread writes the slots of a stretch, from where those before it end.
    int written = 0, equal_before = 0;
    for (int k = 0; k < K && taken > 0; ++k) {
      if (k == own) continue;
      const Falling key{row + k * S};
      const Stretch part(group, held[k]);
      int smaller = 0, equal = 0;
      for (int i = part.begin; i < part.end; ++i) smaller += key(i) < last, equal += key(i) == last;
      const int earlier = equal_before + sum_before(group, equal, s.before);
      int left = equals - earlier < equal ? equals - earlier : equal;  // of its own equal keys
      if (left < 0) left = 0;
      equal_before += s.before[group.threads() - 1];
      int at = written + sum_before(group, smaller + left, s.chosen);
      written += s.chosen[group.threads() - 1];
      for (int i = part.begin; i < part.end; ++i) {
        const Key own_key = key(i);
        if (own_key < last || (own_key == last && left-- > 0)) ordered[at++] = k * S + i;
      }
      group.sync();
    }

    const T limit = theta[0];
    const Stretch part(group, taken);
    int low = 0;
    for (int i = part.begin; i < part.end; ++i) low += affinity[ordered[i]] <= limit;
    int front = sum_before(group, low, s.chosen);
    const int all_low = s.chosen[group.threads() - 1];
    int back = all_low + part.begin - front;
    for (int i = part.begin; i < part.end; ++i) out[affinity[ordered[i]] <= limit ? front++ : back++] = ordered[i];
    for (int i = taken + group.thread(); i < n; i += group.threads()) out[i] = -1;
    if (group.thread() == 0) found[b] = taken, allowed[b] = all_low < 2 ? taken : all_low;
  }

 private:
  /// The thread's share of n things in a row.
  struct Stretch {
    int begin, end;
    template <class Group>
    SAGCL_GROUP Stretch(const Group& group, int n) {
      const int each = (n + group.threads() - 1) / group.threads();
      begin = group.thread() * each < n ? group.thread() * each : n;
      end = begin + each < n ? begin + each : n;
    }
  };

  /// The sum of `mine` over the threads before; `sums` [threads] then holds the running sums.
  template <class Group>
  SAGCL_GROUP static int sum_before(const Group& group, int mine, int* sums) {
    sums[group.thread()] = mine;
    group.sync();
    add_up(group, sums, group.threads());
    return sums[group.thread()] - mine;
  }
};

template <class Launch>
void closest_keys(const KeyRing& ring, const Tensor& theta, const Tensor& score, Closest& closest) {
  engine::visit_float(score.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t K = ring.keys.shape()[0], S = ring.keys.shape()[1], B = score.shape()[0],
                       n = closest.slots.shape()[1];
    Tensor in_order = Tensor::empty({B, n}, engine::Dtype::i32, score.device());
    Launch::for_groups(B, ClosestKeys<T>{int(B / K), int(K), int(S), int(n), ring.count.data<std::int32_t>(),
                                         ring.affinity.data<T>(), theta.data<T>(), score.data<T>(),
                                         in_order.data<std::int32_t>(), closest.slots.data<std::int32_t>(),
                                         closest.count.data<std::int32_t>(), closest.allowed.data<std::int32_t>()});
  });
}

/// A group mixes `rows` pairs: it draws them, adds up their squares by `lanes` threads each, and writes them.
template <class T>
struct Mixtures {
  static constexpr int rows = 32, lanes = 8;
  struct Shared {
    const T *n_i[rows], *n_j[rows];
    double w[rows], squares[rows][lanes], length[rows];
  };
  MixWeight weight;
  engine::RandomKey key;
  std::int64_t total, H, n;
  int dim;
  const T *keys, *affinity;
  const std::int32_t *slots, *found, *allowed;
  T* y;

  template <class Group>
  SAGCL_GROUP void operator()(std::int64_t part, Shared& s, const Group& group) const {
    const std::int64_t first = part * rows;
    const int here = int(total - first < rows ? total - first : rows);
    for (int r = group.thread(); r < here; r += group.threads()) draw(first + r, s, r);
    group.sync();
    for (int i = group.thread(); i < here * lanes; i += group.threads()) {
      const int r = i / lanes, lane = i % lanes;
      double sum = 0;
      if (s.n_i[r])
        for (int d = lane; d < dim; d += lanes) sum += square(mixed(s, r, d));
      s.squares[r][lane] = sum;
    }
    group.sync();
    for (int r = group.thread(); r < here; r += group.threads()) {
      double sum = 0;
      for (int lane = 0; lane < lanes; ++lane) sum += s.squares[r][lane];
      const double length = std::sqrt(sum);
      s.length[r] = length > 1e-12 ? length : 1e-12;
    }
    group.sync();
    constexpr int width = Group::threads() < 32 ? Group::threads() : 32;
    for (int r = group.thread() / width; r < here; r += group.threads() / width)
      for (int d = group.thread() % width; d < dim; d += width)
        y[(first + r) * dim + d] = s.n_i[r] ? T(mixed(s, r, d) / s.length[r]) : T(0);
  }

 private:
  SAGCL_BOTH static double square(double v) { return v * v; }
  /// The numerator of Eq. 6; operator() divides it by its length.
  SAGCL_BOTH static double mixed(const Shared& s, int r, int d) {
    return s.w[r] * double(s.n_i[r][d]) + (1 - s.w[r]) * double(s.n_j[r][d]);  // Eq. 6
  }
  SAGCL_BOTH static int drawn(std::uint32_t word, int count) {
    const int i = int(double(engine::unit(word)) * count);
    return i < count ? i : count - 1;
  }
  SAGCL_BOTH void draw(std::int64_t row, Shared& s, int r) const {
    const std::int64_t b = row / H;
    if (found[b] == 0) {
      s.n_i[r] = nullptr;
      return;
    }
    const engine::RandomKey k = key.now();
    const std::uint64_t word = 3 * std::uint64_t(row);
    const std::int64_t i = slots[b * n + drawn(k.word(word), allowed[b])],
                       j = slots[b * n + drawn(k.word(word + 1), found[b])];
    s.n_i[r] = keys + i * dim, s.n_j[r] = keys + j * dim;
    switch (weight) {
      case MixWeight::affinity: s.w[r] = double(affinity[i]); break;
      case MixWeight::half: s.w[r] = 0.5; break;
      case MixWeight::random: s.w[r] = double(engine::unit(k.word(word + 2))); break;
    }
  }
};

template <class Launch>
void mixtures(MixWeight w, const engine::RandomKey& key, const KeyRing& ring, const Closest& closest, Tensor& y) {
  engine::visit_float(y.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t total = y.shape()[0] * y.shape()[1], parts = (total + Mixtures<T>::rows - 1) / Mixtures<T>::rows;
    Launch::for_groups(
        parts, Mixtures<T>{w, key, total, y.shape()[1], closest.slots.shape()[1], int(y.shape()[2]), ring.keys.data<T>(),
                           ring.affinity.data<T>(), closest.slots.data<std::int32_t>(), closest.count.data<std::int32_t>(),
                           closest.allowed.data<std::int32_t>(), y.data<T>()});
  });
}

}  // namespace sagcl::semiagcl::kernels
