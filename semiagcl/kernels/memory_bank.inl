#pragma once
// Section III-C's memory bank on the device: rings of keys per class, who counts as a negative, and the threshold θ.
#include "ops/kernels/gate.h"
#include "semiagcl/kernels/backend.h"

namespace sagcl::semiagcl::kernels {

using ops::kernels::closed;
using ops::kernels::gate_of;

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
    Launch::for_rows(
        rows, rows,
        ContrastWeights<T>{least, K, rows / K, counted.data<std::int32_t>(), ring.count.data<std::int32_t>(), w.data<T>()});
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
  const double* gate;
  T *keys, *affinity;
  SAGCL_BOTH void operator()(std::int64_t row, std::int64_t d) const {
    const std::int64_t k = row / n, i = row - k * n;
    if (closed(gate) || i >= counted[k] || i < counted[k] - S) return;
    const std::int64_t slot = k * S + (next[k] + i) % S;
    keys[slot * dim + d] = rows[row * dim + d];
    if (d == 0) affinity[slot] = row_affinity[picks[row]];
  }
};

struct MoveRing {
  std::int64_t S;
  const std::int32_t* counted;
  const double* gate;
  std::int32_t *count, *next;
  SAGCL_BOTH void operator()(std::int64_t k) const {
    if (closed(gate)) return;
    const std::int64_t held = count[k] + std::int64_t(counted[k]);
    count[k] = std::int32_t(held < S ? held : S);
    next[k] = std::int32_t((next[k] + std::int64_t(counted[k])) % S);
  }
};

template <class Launch>
void store_keys(const Tensor& keys, const Tensor& picks, const Tensor& counted, const Tensor& affinity, const Tensor& gate,
                KeyRing& ring) {
  engine::visit_float(ring.keys.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t K = ring.keys.shape()[0], S = ring.keys.shape()[1], dim = ring.keys.shape()[2],
                       rows = keys.shape()[0];
    const std::int32_t* new_rows = counted.data<std::int32_t>();
    Launch::for_rows(
        rows, dim,
        StoreKeys<T>{rows / K, S, dim, keys.data<T>(), affinity.data<T>(), picks.data<std::int32_t>(), new_rows,
                     ring.next.data<std::int32_t>(), gate_of(gate), ring.keys.data<T>(), ring.affinity.data<T>()});
    Launch::for_each(K,
                     MoveRing{S, new_rows, gate_of(gate), ring.count.data<std::int32_t>(), ring.next.data<std::int32_t>()});
  });
}

template <class T>
struct MoveThreshold {
  double decay, low, high;
  bool from_first;
  const T* median;
  const double* gate;
  T* state;
  SAGCL_BOTH void operator()(std::int64_t) const {
    const double m = double(median[0]);
    if (closed(gate) || m != m) return;
    const double keep = from_first && state[1] == 0 ? 0 : decay;
    const double theta = keep * double(state[0]) + (1 - keep) * m;
    state[0] = T(theta < low ? low : theta > high ? high : theta);
    state[1] = 1;
  }
};

template <class Launch>
void move_threshold(double decay, bool from_first, double low, double high, const Tensor& median, const Tensor& gate,
                    Tensor& state) {
  engine::visit_float(state.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    Launch::for_each(1, MoveThreshold<T>{decay, low, high, from_first, median.data<T>(), gate_of(gate), state.data<T>()});
  });
}

}  // namespace sagcl::semiagcl::kernels
