#include <algorithm>
#include <cmath>

#include "tools/learn/exercises/exercises.h"

using namespace sagcl;
using exercises::Numbers;
using exercises::Suspect;

namespace {

Numbers each(const Numbers& x, double (*f)(double)) {
  Numbers y = x;
  std::transform(x.begin(), x.end(), y.begin(), f);
  return y;
}

Numbers times(const Numbers& a, const Numbers& b) {
  Numbers y = a;
  for (std::size_t i = 0; i < a.size(); ++i) y[i] *= b[i];
  return y;
}

/// The matrix of the linear operation, or its transpose.
Numbers linear(const Numbers& x, bool transposed) {
  const double m[3][3] = {{1, 2, -1}, {0.5, -1, 3}, {2, 0, 1}};
  Numbers y(3, 0.0);
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 3; ++j) y[i] += (transposed ? m[j][i] : m[i][j]) * x[j];
  return y;
}

Numbers without_mean(const Numbers& x) {
  Numbers y = x;
  for (double& v : y) v -= (x[0] + x[1] + x[2]) / 3;
  return y;
}

const Suspect exponential{"exponential", [](const Numbers& x) { return each(x, std::exp); },
                          [](const Numbers& x, const Numbers& dy) { return times(each(x, std::exp), dy); }};
const Suspect product{"linear", [](const Numbers& x) { return linear(x, false); },
                      [](const Numbers&, const Numbers& dy) { return linear(dy, true); }};
const Suspect centre{"centre", without_mean, [](const Numbers&, const Numbers& dy) { return without_mean(dy); }};
const Suspect large{
    "large", [](const Numbers& x) { return each(x, [](double v) { return 1e6 * v * v; }); },
    [](const Numbers& x, const Numbers& dy) { return times(each(x, [](double v) { return 2e6 * v; }), dy); }};

/// The same with another backward.
Suspect with(Suspect s, std::function<Numbers(const Numbers&, const Numbers&)> backward) {
  s.backward = std::move(backward);
  return s;
}

}  // namespace

int main() try {
  const Numbers x = {0.4, -1.1, 0.9};
  const std::optional<std::string> nobody = exercises::guilty({exponential, product, centre, large}, x);
  if (!nobody) return exercises::unfinished("12_planted_bug.cpp", "name the operation whose backward is wrong");
  learn::Claims claims;
  claims.check(nobody->empty(), "all four are right, also where gradients are a million: '{}'", *nobody);
  const auto find = [&](const char* what, const std::vector<Suspect>& operations, const char* name) {
    const std::string found = exercises::guilty(operations, x).value_or("");
    claims.check(found == name, "{}: it is '{}', you say '{}'", what, name, found);
  };
  const Suspect transposed = with(product, [](const Numbers&, const Numbers& dy) { return linear(dy, false); });
  find("a matrix for its transpose", {exponential, transposed, centre, large}, "linear");
  const Suspect constant = with(centre, [](const Numbers&, const Numbers& dy) { return dy; });
  find("a mean taken for a constant", {large, exponential, product, constant}, "centre");
  const Suspect last = with(exponential, [](const Numbers& at, const Numbers& dy) {
    Numbers dx = times(each(at, std::exp), dy);
    dx.back() *= 1.001;
    return dx;
  });
  find("a thousandth too much in the last element alone", {product, last, large}, "exponential");
  const Suspect reversed = with(exponential, [](const Numbers& at, const Numbers& dy) {
    return times(each(at, std::exp), Numbers(dy.rbegin(), dy.rend()));
  });
  find("dy in the wrong order, which equal dy hide", {centre, reversed}, "exponential");
  const Suspect deaf =
      with(large, [](const Numbers& at, const Numbers&) { return each(at, [](double v) { return 2e6 * v; }); });
  find("dy forgotten, and another bug behind it: the first counts", {centre, deaf, transposed}, "large");
  return claims.exit_code();
} catch (const std::exception& e) { return exercises::threw(e); }
