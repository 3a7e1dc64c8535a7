#pragma once
// Quantiles of rows. Short rows are searched by one group of threads each; long rows are counted in parts, all groups adding
// to the row's counts, and one group per row picks the next digit. A row has fewer than 2^31 values.
#include <algorithm>
#include <vector>

#include "ops/backend.h"
#include "ops/kernels/radix_select.inl"

namespace sagcl::ops::kernels {

/// Up to four quantiles at a time.
struct Shares {
  static constexpr int most = most_ranks / 2;
  double q[most];
  int n;
  std::int64_t skip;

  /// Sets the ranks that are searched for, now that the number of values is known: two for each quantile.
  template <class Key>
  SAGCL_BOTH void ask(int count, Ranks<Key>& ranks) const {
    ranks.wanted = count > skip ? 2 * n : 0;
    for (int j = 0; 2 * j < ranks.wanted; ++j) {
      const double at = q[j] * double(count - 1 - skip);
      const int below = int(skip) + int(at), above = below + 1 < count ? below + 1 : count - 1;
      ranks.share[j] = at - double(int(at));
      ranks.rank[2 * j] = below, ranks.rank[2 * j + 1] = above;
      ranks.at[2 * j] = ranks.at[2 * j + 1] = 0;
    }
  }
};

template <class Key>
SAGCL_BOTH void begin_search(Ranks<Key>& ranks) {
  ranks.known = 1, ranks.begin[0] = 0;
}

/// The next digit of a row's ranks from the counts of one.
template <class Key, class Group>
SAGCL_GROUP void pick_digit(const Group& group, const Shares& shares, int digit, Ranks<Key>& ranks,
                            int (*count)[digit_values]) {
  for (int b = 0; b < ranks.known; ++b) add_up(group, count[b], digit_values);
  if (digit == 0) {
    if (group.thread() == 0) shares.ask(count[0][digit_values - 1], ranks);
    group.sync();
  }
  next_digit(group, ranks, count);
}

template <class T>
struct KeyOfElement {
  const T* x;
  SAGCL_BOTH typename KeyOf<T>::type operator()(int i) const { return rising(x[i]); }
};

template <class T>
struct SearchRow {
  using Key = typename KeyOf<T>::type;
  struct Shared {
    Ranks<Key> ranks;
    int count[most_ranks][digit_values];
  };
  Shares shares;
  std::int64_t n;
  const T* x;
  Ranks<Key>* found;
  template <class Group>
  SAGCL_GROUP void operator()(std::int64_t row, Shared& s, const Group& group) const {
    if (group.thread() == 0) begin_search(s.ranks);
    group.sync();
    const KeyOfElement<T> key{x + row * n};
    for (int digit = 0; digit < digits_of<Key>(); ++digit) {
      clear_counts(group, s.ranks.known, s.count);
      group.sync();
      count_digits(group, s.ranks, digit, int(n), key, s.count);
      group.sync();
      pick_digit(group, shares, digit, s.ranks, s.count);
    }
    if (group.thread() == 0) found[row] = s.ranks;
  }
};

template <class Key>
struct BeginSearch {
  Ranks<Key>* ranks;
  std::int64_t rows;
  int* count;
  SAGCL_BOTH void operator()(std::int64_t i) const {
    count[i] = 0;
    if (i < rows) begin_search(ranks[i]);
  }
};

template <class T>
struct CountPart {
  using Key = typename KeyOf<T>::type;
  struct Shared {
    Ranks<Key> ranks;
    int count[most_ranks][digit_values];
  };
  static constexpr std::int64_t length = 8192;
  int digit;
  std::int64_t n, parts;
  const T* x;
  const Ranks<Key>* ranks;
  int* count;
  template <class Group>
  SAGCL_GROUP void operator()(std::int64_t part, Shared& s, const Group& group) const {
    const std::int64_t row = part / parts, begin = (part - row * parts) * length;
    if (group.thread() == 0) {
      s.ranks.known = ranks[row].known;
      for (int b = 0; b < s.ranks.known; ++b) s.ranks.begin[b] = ranks[row].begin[b];
    }
    group.sync();
    clear_counts(group, s.ranks.known, s.count);
    group.sync();
    count_digits(group, s.ranks, digit, int(n - begin < length ? n - begin : length), KeyOfElement<T>{x + row * n + begin},
                 s.count);
    group.sync();
    int* all = count + row * most_ranks * digit_values;
    for (int b = 0; b < s.ranks.known; ++b)
      for (int d = group.thread(); d < digit_values; d += group.threads())
        if (s.count[b][d] != 0) group.add_to_all(&all[b * digit_values + d], s.count[b][d]);
  }
};

template <class Key>
struct PickDigit {
  struct Shared {
    int count[most_ranks][digit_values];
  };
  Shares shares;
  int digit;
  Ranks<Key>* ranks;
  int* count;
  template <class Group>
  SAGCL_GROUP void operator()(std::int64_t row, Shared& s, const Group& group) const {
    int* all = count + row * most_ranks * digit_values;
    const int known = ranks[row].known;
    for (int b = 0; b < known; ++b)
      for (int d = group.thread(); d < digit_values; d += group.threads()) {
        s.count[b][d] = all[b * digit_values + d];
        all[b * digit_values + d] = 0;
      }
    group.sync();
    pick_digit(group, shares, digit, ranks[row], s.count);
  }
};

/// Between the two values found for each quantile.
template <class T>
struct Interpolate {
  using Key = typename KeyOf<T>::type;
  const Ranks<Key>* found;
  std::int64_t columns;
  T* y;
  SAGCL_BOTH void operator()(std::int64_t row, std::int64_t j) const {
    const Ranks<Key>& ranks = found[row];
    T& value = y[row * columns + j];
    if (2 * j >= ranks.wanted) {
      value = T(NAN);
      return;
    }
    const double a = double(value_of(ranks.begin[ranks.at[2 * j]])), b = double(value_of(ranks.begin[ranks.at[2 * j + 1]]));
    const double t = ranks.share[j];
    value = T(t < 0.5 ? a + (b - a) * t : b - (b - a) * (1 - t));
  }
};

inline bool long_rows(std::int64_t n) { return n > 2 * CountPart<float>::length; }

/// The two values around each quantile of every row of x [rows, n]. `count` holds most_ranks · 256 numbers for each row,
/// where rows are long.
template <class Launch, class T>
void search_rows(const Shares& shares, std::int64_t rows, std::int64_t n, const T* x, Ranks<typename KeyOf<T>::type>* found,
                 int* count) {
  using Key = typename KeyOf<T>::type;
  if (!long_rows(n)) return Launch::for_groups(rows, SearchRow<T>{shares, n, x, found});
  const std::int64_t parts = (n + CountPart<T>::length - 1) / CountPart<T>::length;
  Launch::for_each(rows * most_ranks * digit_values, BeginSearch<Key>{found, rows, count});
  for (int digit = 0; digit < digits_of<Key>(); ++digit) {
    Launch::for_groups(rows * parts, CountPart<T>{digit, n, parts, x, found, count});
    Launch::for_groups(rows, PickDigit<Key>{shares, digit, found, count});
  }
}

template <class Launch>
void quantiles(std::int64_t skip, const std::vector<double>& q, const Tensor& x, Tensor& y) {
  const std::int64_t rows = x.shape()[0], n = x.shape()[1], columns = std::int64_t(q.size());
  if (y.size() == 0) return;
  engine::visit_float(x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    using Key = typename KeyOf<T>::type;
    Tensor memory = Tensor::empty({rows * std::int64_t(sizeof(Ranks<Key>))}, engine::Dtype::u8, x.device()), count;
    if (long_rows(n)) count = Tensor::empty({rows * most_ranks * digit_values}, engine::Dtype::i32, x.device());
    auto* found = static_cast<Ranks<Key>*>(memory.bytes_begin());
    for (std::int64_t first = 0; first < columns; first += Shares::most) {
      Shares shares{{}, int(std::min<std::int64_t>(Shares::most, columns - first)), skip};
      std::copy_n(q.begin() + first, shares.n, shares.q);
      search_rows<Launch>(shares, rows, n, x.data<T>(), found, static_cast<int*>(count.bytes_begin()));
      Launch::for_rows(rows, shares.n, Interpolate<T>{found, columns, y.data<T>() + first});
    }
  });
}

}  // namespace sagcl::ops::kernels
