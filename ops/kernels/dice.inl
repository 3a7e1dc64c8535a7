#pragma once
#include <array>

#include "engine/tensor.h"
#include "ops/backend.h"

/// Soft Dice: three sums per channel, the loss and the coefficients of its gradient from them, and the gradient.
namespace sagcl::ops::kernels {

using engine::Tensor;
using engine::visit_float;

/// The target of a voxel and channel, and whether the voxel is counted: soft values, or the one-hot of labels.
template <class T>
struct DiceTarget {
  const T* y;                  // null: labels
  const std::int32_t* labels;  // -1: not counted
  std::int64_t channels;
  SAGCL_BOTH bool counted(std::int64_t r) const { return y || labels[r] >= 0; }
  SAGCL_BOTH T at(std::int64_t r, std::int64_t c) const { return y ? y[r * channels + c] : T(labels[r] == c); }
};

/// { p y, p² or p, y² or y }
template <class T>
struct DiceTerm {
  const T* p;
  DiceTarget<T> target;
  bool squared;
  SAGCL_BOTH std::array<T, 3> operator()(std::int64_t, std::int64_t r, std::int64_t c) const {
    if (!target.counted(r)) return {{T(0), T(0), T(0)}};
    const T probability = p[r * target.channels + c], y = target.at(r, c);
    return {{probability * y, squared ? probability * probability : probability, squared ? y * y : y}};
  }
};

/// dp = a[c] y + b[c] (2 p or 1)
template <class T>
struct DiceBackward {
  const T* p;
  DiceTarget<T> target;
  bool squared;
  const T* coefficients;
  T* dp;
  SAGCL_BOTH void operator()(std::int64_t r, std::int64_t c) const {
    const std::int64_t i = r * target.channels + c;
    const T *a = coefficients, *b = coefficients + target.channels;
    dp[i] = target.counted(r) ? a[c] * target.at(r, c) + b[c] * (squared ? 2 * p[i] : T(1)) : T(0);
  }
};

/// loss = mean over channels >= first of 1 - (2 sums[0] + s) / (sums[1] + sums[2] + s)
template <class T>
struct DiceLoss {
  const T* sums;
  T* loss;
  std::int64_t channels, first;
  double smooth;
  SAGCL_BOTH void operator()(std::int64_t) const {
    double total = 0;
    for (std::int64_t c = first; c < channels; ++c) {
      const double overlap = sums[c], sizes = double(sums[channels + c]) + double(sums[2 * channels + c]);
      total += (sizes - 2 * overlap) / (sizes + smooth);  // 1 - (2 overlap + s) / (sizes + s), without the cancellation
    }
    loss[0] = T(total / double(channels - first));
  }
};

/// a = -2 / (sizes + s) and b = (2 overlap + s) / (sizes + s)², times dloss / channels; 0 below `first`.
template <class T>
struct DiceCoefficients {
  const T *sums, *dloss;
  T* coefficients;
  std::int64_t channels, first;
  double smooth;
  SAGCL_BOTH void operator()(std::int64_t c) const {
    const double overlap = sums[c], sizes = double(sums[channels + c]) + double(sums[2 * channels + c]) + smooth;
    const double weight = c < first ? 0 : double(dloss[0]) / double(channels - first);
    coefficients[c] = T(-2 * weight / sizes);
    coefficients[channels + c] = T((2 * overlap + smooth) / sizes * weight / sizes);
  }
};

template <class T>
DiceTarget<T> dice_target(const Tensor& y, const Tensor& labels, std::int64_t channels) {
  return {y.defined() ? y.data<T>() : nullptr, y.defined() ? nullptr : labels.data<std::int32_t>(), channels};
}

template <class Launch>
void dice_sums(bool squared, const Tensor& p, const Tensor& y, const Tensor& labels, Tensor& sums) {
  visit_float(p.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t channels = p.shape().back();
    Launch::template column_sums<3, T, T>(1, p.size() / channels, channels,
                                          DiceTerm<T>{p.data<T>(), dice_target<T>(y, labels, channels), squared},
                                          sums.data<T>());
  });
}

template <class Launch>
void dice_backward(bool squared, const Tensor& p, const Tensor& y, const Tensor& labels, const Tensor& coefficients,
                   Tensor& dp) {
  visit_float(p.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t channels = p.shape().back();
    Launch::for_rows(
        p.size() / channels, channels,
        DiceBackward<T>{p.data<T>(), dice_target<T>(y, labels, channels), squared, coefficients.data<T>(), dp.data<T>()});
  });
}

template <class Launch>
void dice_loss(double smooth, std::int64_t first, const Tensor& sums, Tensor& loss) {
  visit_float(sums.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    Launch::for_each(1, DiceLoss<T>{sums.data<T>(), loss.data<T>(), sums.shape().back(), first, smooth});
  });
}

template <class Launch>
void dice_coefficients(double smooth, std::int64_t first, const Tensor& sums, const Tensor& dloss, Tensor& coefficients) {
  visit_float(sums.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t channels = sums.shape().back();
    Launch::for_each(channels,
                     DiceCoefficients<T>{sums.data<T>(), dloss.data<T>(), coefficients.data<T>(), channels, first, smooth});
  });
}

}  // namespace sagcl::ops::kernels
