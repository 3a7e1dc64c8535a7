#pragma once
#include <cmath>

/// The orthogonal polar factor U Vᵀ of a matrix A = U S Vᵀ without its SVD, by the dynamically weighted Halley iteration
/// (Nakatsukasa, Bai & Gygi 2010) in its Cholesky form:
///
///   X ← b/c X + (a - b/c) X (I + c XᵀX)⁻¹
///
/// It maps every singular value s of X to s (a + b s²) / (1 + c s²), with a, b, c chosen so that the interval [l, 1] of
/// singular values shrinks towards 1 as fast as possible. Started at l = 1e-5 the weights are the same for every matrix, so
/// the number of steps is fixed and a GPU never waits for the host. Singular values below 1e-5 of the largest end between
/// 0 and 1 instead of at 1: U Vᵀ restricted to what is well determined, still a subgradient of the nuclear norm.
///
/// `Algebra` supplies the matrix operations of a device on its own X [rows, columns], rows >= columns, which it has divided
/// by an upper bound of the largest singular value:
///
///   gram(c)         S = I + c XᵀX
///   factorise()     S = R Rᵀ by Cholesky; remembers if it failed
///   solve()         Y = X S⁻¹
///   combine(p, q)   X = p X + q Y
namespace sagcl::ops::kernels {

constexpr double polar_lowest = 1e-5;  // below, I + c XᵀX is no longer positive definite in single precision
constexpr int polar_steps = 4;         // they take l from 1e-5 to 1 - 3e-13

template <class Algebra>
void polar(Algebra& algebra) {
  double l = polar_lowest;
  for (int step = 0; step < polar_steps; ++step) {
    const double l2 = l * l, d = std::cbrt(4 * (1 - l2) / (l2 * l2)), root = std::sqrt(1 + d);
    const double a = root + std::sqrt(8 - 4 * d + 8 * (2 - l2) / (l2 * root)) / 2;
    const double b = (a - 1) * (a - 1) / 4, c = a + b - 1;
    algebra.gram(c);
    algebra.factorise();
    algebra.solve();
    algebra.combine(b / c, a - b / c);
    l = std::fmin(1.0, l * (a + b * l2) / (1 + c * l2));
  }
}

}  // namespace sagcl::ops::kernels
