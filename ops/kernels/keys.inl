#pragma once
// Keys of contrastive learning: rings of keys per class, the closest of other classes, mixtures of them, and the threshold.
#include <cmath>

#include "ops/backend.h"
#include "ops/kernels/select.inl"
#include "ops/kernels/updates.inl"

namespace sagcl::ops::kernels {

/// One group per anchor: selects the n largest scores by their digits, writes the slots in order, then moves those that the
/// threshold allows to the front.
template <class T>
struct ClosestKeys {
  using Key = typename KeyOf<T>::type;
  struct Shared { Ranks<Key> ranks; int count[1][digit_values], before[digit_values], chosen[digit_values]; };
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
      if (group.thread() == 0) s.ranks.known = s.ranks.wanted = 1, s.ranks.begin[0] = 0, s.ranks.at[0] = 0, s.ranks.rank[0] = n - 1;
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
    const std::int64_t K = ring.keys.shape()[0], S = ring.keys.shape()[1], B = score.shape()[0], n = closest.slots.shape()[1];
    Tensor in_order = Tensor::empty({B, n}, engine::Dtype::i32, score.device());
    Launch::for_groups(B, ClosestKeys<T>{int(B / K), int(K), int(S), int(n), ring.count.data<std::int32_t>(), ring.affinity.data<T>(),
                                         theta.data<T>(), score.data<T>(), in_order.data<std::int32_t>(),
                                         closest.slots.data<std::int32_t>(), closest.found.data<std::int32_t>(),
                                         closest.allowed.data<std::int32_t>()});
  });
}

/// A group mixes `rows` pairs: it draws them, adds up their squares by `lanes` threads each, and writes them.
template <class T>
struct Mixtures {
  static constexpr int rows = 32, lanes = 8;
  struct Shared { const T *n_i[rows], *n_j[rows]; double w[rows], squares[rows][lanes], length[rows]; };
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
  SAGCL_BOTH static double mixed(const Shared& s, int r, int d) {
    return s.w[r] * double(s.n_i[r][d]) + (1 - s.w[r]) * double(s.n_j[r][d]);
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
    const std::int64_t i = slots[b * n + drawn(k.word(word), allowed[b])], j = slots[b * n + drawn(k.word(word + 1), found[b])];
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
    Launch::for_groups(parts, Mixtures<T>{w, key, total, y.shape()[1], closest.slots.shape()[1], int(y.shape()[2]), ring.keys.data<T>(),
                                          ring.affinity.data<T>(), closest.slots.data<std::int32_t>(),
                                          closest.found.data<std::int32_t>(), closest.allowed.data<std::int32_t>(),
                                          y.data<T>()});
  });
}

template <class T>
struct ContrastWeights {
  std::int64_t least, K, n;
  const std::int32_t *counted, *held;
  T* w;
  SAGCL_BOTH void operator()(std::int64_t b, std::int64_t r) const {
    const std::int64_t k = b / n;
    T value = 0;
    if (r >= k * n && r < k * n + counted[k] && b < k * n + counted[k]) {
      std::int64_t all = 0, anchors = 0;
      for (std::int64_t j = 0; j < K; ++j) all += held[j];
      for (std::int64_t j = 0; j < K; ++j) anchors += all - held[j] >= least ? counted[j] : 0;
      if (all - held[k] >= least) value = T(1 / (double(counted[k]) * double(anchors)));
    }
    w[b * K * n + r] = value;
  }
};

template <class Launch>
void contrast_weights(std::int64_t least, const Tensor& counted, const KeyRing& ring, Tensor& w) {
  engine::visit_float(w.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t K = counted.size(), rows = w.shape()[0];
    Launch::for_rows(rows, rows, ContrastWeights<T>{least, K, rows / K, counted.data<std::int32_t>(), ring.count.data<std::int32_t>(),
                                                    w.data<T>()});
  });
}

template <class T>
struct OtherClasses {
  std::int64_t n, S, columns;
  const std::int32_t* held;
  T* mask;
  SAGCL_BOTH void operator()(std::int64_t b, std::int64_t slot) const {
    const std::int64_t k = slot / S;
    mask[b * columns + slot] = k != b / n && slot - k * S < held[k] ? T(0) : T(-1e30);
  }
};

template <class Launch>
void other_classes(const KeyRing& ring, Tensor& mask) {
  engine::visit_float(mask.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t K = ring.keys.shape()[0], S = ring.keys.shape()[1], rows = mask.shape()[0];
    Launch::for_rows(rows, K * S, OtherClasses<T>{rows / K, S, K * S, ring.count.data<std::int32_t>(), mask.data<T>()});
  });
}

/// Row i of class k goes to slot next + i of its ring; of more rows than slots the last stay.
template <class T>
struct StoreKeys {
  std::int64_t n, S, dim;
  const T *rows, *row_affinity;
  const std::int32_t *picks, *counted, *next;
  const double* open;
  T *keys, *affinity;
  SAGCL_BOTH void operator()(std::int64_t row, std::int64_t d) const {
    const std::int64_t k = row / n, i = row - k * n;
    if ((open && *open == 0) || i >= counted[k] || i < counted[k] - S) return;
    const std::int64_t slot = k * S + (next[k] + i) % S;
    keys[slot * dim + d] = rows[row * dim + d];
    if (d == 0) affinity[slot] = row_affinity[picks[row]];
  }
};

struct MoveRing {
  std::int64_t S;
  const std::int32_t* counted;
  const double* open;
  std::int32_t *count, *next;
  SAGCL_BOTH void operator()(std::int64_t k) const {
    if (open && *open == 0) return;
    const std::int64_t held = count[k] + std::int64_t(counted[k]);
    count[k] = std::int32_t(held < S ? held : S);
    next[k] = std::int32_t((next[k] + std::int64_t(counted[k])) % S);
  }
};

template <class Launch>
void store_keys(const Tensor& keys, const Tensor& picks, const Tensor& counted, const Tensor& affinity, const Tensor& open,
                KeyRing& ring) {
  engine::visit_float(ring.keys.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t K = ring.keys.shape()[0], S = ring.keys.shape()[1], dim = ring.keys.shape()[2], rows = keys.shape()[0];
    const std::int32_t* new_rows = counted.data<std::int32_t>();
    Launch::for_rows(rows, dim, StoreKeys<T>{rows / K, S, dim, keys.data<T>(), affinity.data<T>(), picks.data<std::int32_t>(),
                                             new_rows, ring.next.data<std::int32_t>(), number_or_none(open), ring.keys.data<T>(),
                                             ring.affinity.data<T>()});
    Launch::for_each(K, MoveRing{S, new_rows, number_or_none(open), ring.count.data<std::int32_t>(), ring.next.data<std::int32_t>()});
  });
}

template <class T>
struct MoveThreshold {
  double decay, low, high;
  bool from_first;
  const T* median;
  const double* open;
  T* state;
  SAGCL_BOTH void operator()(std::int64_t) const {
    const double m = double(median[0]);
    if ((open && *open == 0) || m != m) return;
    const double keep = from_first && state[1] == 0 ? 0 : decay;
    const double theta = keep * double(state[0]) + (1 - keep) * m;
    state[0] = T(theta < low ? low : theta > high ? high : theta);
    state[1] = 1;
  }
};

template <class Launch>
void move_threshold(double decay, bool from_first, double low, double high, const Tensor& median, const Tensor& open, Tensor& state) {
  engine::visit_float(state.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    Launch::for_each(1, MoveThreshold<T>{decay, low, high, from_first, median.data<T>(), number_or_none(open), state.data<T>()});
  });
}

}  // namespace sagcl::ops::kernels
