#include <cmath>

#include "tools/learn/exercises/exercises.h"

using namespace sagcl;

int main() try {
  const double w = 0.7, b = -0.2, x = 1.3, t = 0.9, h = 1e-5;
  const std::vector<double> d = exercises::derivative(w, b, x, t);
  if (d.empty()) return exercises::unfinished("02_derivative.cpp", "give the two derivatives");
  const auto loss = [&](double w_, double b_) { return std::pow(std::tanh(w_ * x + b_) - t, 2); };
  const double dw = (loss(w + h, b) - loss(w - h, b)) / (2 * h), db = (loss(w, b + h) - loss(w, b - h)) / (2 * h);
  learn::Claims claims;
  claims.check(d.size() == 2, "two derivatives, dL/dw and dL/db; {} given", d.size());
  if (d.size() != 2) return claims.exit_code();
  claims.check(std::abs(d[0] - dw) < 1e-8, "dL/dw is {:.6f}, by a difference quotient {:.6f}", d[0], dw);
  claims.check(std::abs(d[1] - db) < 1e-8, "dL/db is {:.6f}, by a difference quotient {:.6f}", d[1], db);
  return claims.exit_code();
} catch (const std::exception& e) { return exercises::threw(e); }
