#pragma once
#include <array>
#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <string>
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
/// s = 1 / (1 + e^-x). One operation, one record. Unfinished: undefined.
autograd::Variable swish(const autograd::Variable& x);

/// A number that counts how often two such numbers were multiplied. Halves are free, a.half(): a shift, or made beforehand.
struct Counted {
  double value = 0;
  static inline int products = 0;
  Counted half() const { return {value / 2}; }
  friend Counted operator+(Counted a, Counted b) { return {a.value + b.value}; }
  friend Counted operator-(Counted a, Counted b) { return {a.value - b.value}; }
  friend Counted operator*(Counted a, Counted b) { return ++products, Counted{a.value * b.value}; }
};

/// 4. d0 g0 + d1 g1 + d2 g2 and d1 g0 + d2 g1 + d3 g2, with four products. Unfinished: no product.
std::array<Counted, 2> four_products(const std::array<Counted, 4>& d, const std::array<Counted, 3>& g);

/// What Adam remembers of one number.
struct AdamState {
  double m = 0, v = 0;
  int t = 0;
};

/// 5. p after a step of Adam with gradient g: beta1 = 0.9, beta2 = 0.999, eps = 1e-8. Unfinished: t stays 0.
double adam_step(AdamState& state, double p, double g, double lr);

using Numbers = std::vector<double>;

/// What a batch norm's backward gives for one channel.
struct NormGradients {
  Numbers dx;
  double dgamma = 0, dbeta = 0;
};

/// 6. The gradients of y = γ x̂ + β, x̂ = (x - mean) / √(variance + eps), when dL/dy is dy. The variance is the mean of
/// (x - mean)². Unfinished: dx is empty.
NormGradients batch_norm_backward(const Numbers& x, const Numbers& dy, double gamma, double eps);

/// 7. dL/dp of the Dice loss L = 1 - 2 Σ p y / (Σ p² + Σ y²), for every element of p. Unfinished: empty.
Numbers dice_gradient(const Numbers& p, const Numbers& y);

/// A = U diag(s) Vᵀ with n rows and columns; U and V row by row, column k of each belongs to s[k], and s falls.
struct Decomposition {
  std::size_t n = 0;
  Numbers u, s, v;
};

/// 8. The smallest subgradient of ‖A‖∗, row by row: triplets (u_k, s_k, v_k) with s[k] <= drop · s[0] are left out.
/// Unfinished: empty.
Numbers nuclear_norm_subgradient(const Decomposition& a, double drop);

/// The last `room` keys of a class.
struct Bank {
  std::size_t room = 0;
  std::vector<Numbers> keys;  ///< oldest first
};

/// 9. Puts a key into the bank; where it is full, the oldest makes room. Unfinished: the bank stays as it is.
void store(Bank& bank, const Numbers& key);

/// And the loss of an anchor q with its key k and the negatives of the bank, -log( e^{q·k/τ} / (e^{q·k/τ} + Σ e^{q·n/τ}) ),
/// also where e^{1/τ} is more than a double holds. Unfinished: negative.
double contrastive_loss(const Numbers& q, const Numbers& k, const Bank& negatives, double tau);

/// A plane image, row by row.
struct Plane {
  int height = 0, width = 0;
  Numbers values;
};

/// Rows [top, top + height) and columns [left, left + width).
struct Box {
  int top = 0, left = 0, height = 0, width = 0;
};

/// 10. {a with the box of b, b with the box of a}. Unfinished: empty values.
std::array<Plane, 2> paste_both_ways(const Plane& a, const Plane& b, const Box& box);

/// And the teacher's update t <- α t + (1 - α) s, α = min(1 - 1 / (step + 1), decay), of every weight. Unfinished: the
/// teacher stays as it is.
void follow(Numbers& teacher, const Numbers& student, int step, double decay);

/// 11. The average entropy of each patch (Eq. 1) of an image in (0, 1) that is cut into rows x columns patches, row by row:
/// the mean of h(v) = -v ln v - (1 - v) ln(1 - v). Unfinished: empty.
Numbers patch_entropies(const Plane& image, int rows, int columns);

/// And the numbers of the n patches with the highest score, best first; of equal ones the lower number first. Patches with a
/// confidence below `least` do not count, so there may be fewer. Unfinished: empty.
std::vector<int> top_patches(const Numbers& score, const Numbers& confidence, double least, int n);

/// An operation: y of x, and what its backward makes of dy at x.
struct Suspect {
  std::string name;
  std::function<Numbers(const Numbers& x)> value;
  std::function<Numbers(const Numbers& x, const Numbers& dy)> backward;
};

/// 12. The name of the first operation whose backward is wrong at x, "" if all are right. A relative error of 1e-4 is a bug,
/// one of 1e-7 rounding. Unfinished: nothing.
std::optional<std::string> guilty(const std::vector<Suspect>& operations, const Numbers& x);

/// Says what is missing where; gives the exit code for it.
inline int unfinished(const char* file, const char* what) {
  fmt::print("Your turn: {} in tools/learn/exercises/{}\n", what, file);
  return 2;
}

/// Says what was thrown; gives the exit code for it.
inline int threw(const std::exception& e) {
  fmt::print("✗ WRONG: it ends in an error: {}\n", e.what());
  return 1;
}

}  // namespace sagcl::exercises
