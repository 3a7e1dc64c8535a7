#include <cmath>

#include "tools/learn/exercises/exercises.h"

using namespace sagcl;
using exercises::Counted;

int main() try {
  const std::array<Counted, 4> d = {{{1.5}, {-2}, {0.25}, {3}}};
  const std::array<Counted, 3> g = {{{0.5}, {2}, {-1.25}}};
  const std::array<Counted, 2> y = exercises::four_products(d, g);
  const int products = Counted::products;
  if (products == 0 && y[0].value == 0 && y[1].value == 0)
    return exercises::unfinished("04_winograd.cpp", "write the two results with four products");
  learn::Claims claims;
  for (std::size_t i = 0; i < 2; ++i) {
    const double truth = d[i].value * g[0].value + d[i + 1].value * g[1].value + d[i + 2].value * g[2].value;
    claims.check(std::abs(y[i].value - truth) < 1e-12, "result {} is {}, by the definition {}", i, y[i].value, truth);
  }
  claims.check(products == 4, "four products of two Counted; {} counted (a.half() is none)", products);
  return claims.exit_code();
} catch (const std::exception& e) { return exercises::threw(e); }
