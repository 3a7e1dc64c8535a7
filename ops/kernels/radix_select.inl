#pragma once
// Order statistics found by groups of threads (Launch::for_groups): radix selection, eight bits at a time. All that is
// counted are integers, so a result does not depend on the order in which threads run.
#include <cstdint>
#include <cstring>

#include "ops/kernels/exponential.h"

#ifdef __CUDACC__
#define SAGCL_GROUP __device__  // the body of a group of threads, which waits at barriers
#else
#define SAGCL_GROUP
#endif

namespace sagcl::ops::kernels {

/// Integers in the order of the values: -0 equals 0, NaN comes last. No number has the largest integer, nor the smallest.
SAGCL_BOTH inline std::uint32_t rising(float x) {
  if (x != x) return ~std::uint32_t(0);
  const std::uint32_t bits = x == 0 ? 0 : bits_of(x);
  return bits >> 31 ? ~bits : bits | std::uint32_t(1) << 31;
}
SAGCL_BOTH inline std::uint64_t rising(double x) {
  if (x != x) return ~std::uint64_t(0);
  std::uint64_t bits = 0;
  if (x != 0) std::memcpy(&bits, &x, sizeof bits);
  return bits >> 63 ? ~bits : bits | std::uint64_t(1) << 63;
}

/// The value of such an integer.
SAGCL_BOTH inline float value_of(std::uint32_t key) {
  return float_of_bits(key >> 31 ? key & ~(std::uint32_t(1) << 31) : ~key);
}
SAGCL_BOTH inline double value_of(std::uint64_t key) {
  const std::uint64_t bits = key >> 63 ? key & ~(std::uint64_t(1) << 63) : ~key;
  double x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

template <class T>
struct KeyOf {
  using type = std::uint32_t;
};
template <>
struct KeyOf<double> {
  using type = std::uint64_t;
};

constexpr int digit_values = 256, most_ranks = 8;

/// v[i] ← v[0] + … + v[i] for n values, one for each thread of the group, or any number for a group of one.
template <class Group>
SAGCL_GROUP void add_up(const Group& group, int* v, int n) {
  if constexpr (Group::threads() == 1) {
    for (int i = 1; i < n; ++i) v[i] += v[i - 1];
  } else {
    static_assert(Group::threads() == digit_values);
    const int i = group.thread();
    for (int step = 1; step < n; step *= 2) {
      const int before = i >= step ? v[i - step] : 0;
      group.sync();
      v[i] += before;
      group.sync();
    }
  }
}

/// The search for the values of some ranks: how their keys begin, and where in the keys of the same beginning they stand.
template <class Key>
struct Ranks {
  int wanted, known;                         ///< ranks searched for, and different beginnings
  Key begin[most_ranks];                     ///< the digits found so far
  int at[most_ranks];                        ///< the beginning of each rank's key
  int rank[most_ranks];                      ///< and the rank among the keys that begin so
  double share[most_ranks / 2];              ///< for the owner
  int digit[most_ranks], lower[most_ranks];  ///< used by next_digit
};

template <class Key>
constexpr int digits_of() {
  return int(sizeof(Key));
}

template <class Group>
SAGCL_GROUP void clear_counts(const Group& group, int known, int (*count)[digit_values]) {
  for (int b = 0; b < known; ++b)
    for (int d = group.thread(); d < digit_values; d += group.threads()) count[b][d] = 0;
}

/// Counts the keys key(i), i in [0, n), that begin like the b-th beginning by their next digit d: count[b][d].
template <class Key, class Group, class F>
SAGCL_GROUP void count_digits(const Group& group, const Ranks<Key>& ranks, int digit, int n, const F& key,
                              int (*count)[digit_values]) {
  const int shift = 8 * (digits_of<Key>() - 1 - digit), known = ranks.known;
  for (int i = group.thread(); i < n; i += group.threads()) {
    const Key whole = key(i);
    if (whole == ~Key(0)) continue;
    const Key begin = whole >> shift >> 8;
    for (int b = 0; b < known; ++b)
      if (begin == ranks.begin[b]) group.add(&count[b][int(whole >> shift & 255)], 1);
  }
}

/// Finds the next digit of every rank. `count` holds running sums.
template <class Key, class Group>
SAGCL_GROUP void next_digit(const Group& group, Ranks<Key>& ranks, const int (*count)[digit_values]) {
  for (int d = group.thread(); d < digit_values; d += group.threads())
    for (int r = 0; r < ranks.wanted; ++r) {
      const int* sums = count[ranks.at[r]];
      const int lower = d > 0 ? sums[d - 1] : 0;
      if (ranks.rank[r] >= lower && ranks.rank[r] < sums[d]) ranks.digit[r] = d, ranks.lower[r] = lower;
    }
  group.sync();
  if (group.thread() == 0) {
    Key begin[most_ranks];
    int known = 0;
    for (int r = 0; r < ranks.wanted; ++r) {  // neighbours mostly begin alike; a beginning that stands twice does no harm
      const Key longer = ranks.begin[ranks.at[r]] << 8 | Key(ranks.digit[r]);
      if (known == 0 || begin[known - 1] != longer) begin[known++] = longer;
      ranks.at[r] = known - 1;
      ranks.rank[r] -= ranks.lower[r];
    }
    for (int b = 0; b < known; ++b) ranks.begin[b] = begin[b];
    ranks.known = known;
  }
  group.sync();
}

}  // namespace sagcl::ops::kernels
