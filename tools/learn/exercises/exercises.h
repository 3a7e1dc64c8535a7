#pragma once
#include <array>
#include <vector>

#include "autograd/tape.h"
#include "tools/learn/lesson.h"

/// Each function has a file NN_*.cpp beside this one with a hole in it, and a program NN_*_check.cpp that looks at it. The
/// program's exit code is 0: right, 1: wrong, 2: nothing was written yet.
namespace sagcl::exercises {

/// 1. Where element (c, h, w) of an image lies that is stored channels-first, [C, H, W]. Unfinished: -1.
int address_channels_first(int c, int h, int w, int H, int W);

/// 2. dL/dw and dL/db of L = (tanh(w x + b) - t)². The derivative of tanh(z) is 1 - tanh²(z). Unfinished: empty.
std::vector<double> derivative(double w, double b, double x, double t);

/// 3. y = x / (1 + e^-x) for every element of x (f64), with its gradient on the tape; dy/dx = s + x s (1 - s), where
/// s = 1 / (1 + e^-x). Unfinished: undefined.
autograd::Variable swish(const autograd::Variable& x);

/// A number that counts how often two such numbers were multiplied. Halves are free: a shift, or made beforehand.
struct Counted {
  double value = 0;
  static inline int products = 0;
  Counted half() const { return {value / 2}; }
  friend Counted operator+(Counted a, Counted b) { return {a.value + b.value}; }
  friend Counted operator-(Counted a, Counted b) { return {a.value - b.value}; }
  friend Counted operator*(Counted a, Counted b) { return ++products, Counted{a.value * b.value}; }
};

/// 4. d0 g0 + d1 g1 + d2 g2 and d1 g0 + d2 g1 + d3 g2, with no more than four products. Unfinished: no product.
std::array<Counted, 2> four_products(const std::array<Counted, 4>& d, const std::array<Counted, 3>& g);

/// What Adam remembers of one number.
struct AdamState {
  double m = 0, v = 0;
  int t = 0;
};

/// 5. p after a step of Adam with gradient g: beta1 = 0.9, beta2 = 0.999, eps = 1e-8. Unfinished: t stays 0.
double adam_step(AdamState& state, double p, double g, double lr);

/// Says what is missing where; gives the exit code for it.
inline int unfinished(const char* file, const char* what) {
  fmt::print("Your turn: {} in tools/learn/exercises/{}\n", what, file);
  return 2;
}

}  // namespace sagcl::exercises
