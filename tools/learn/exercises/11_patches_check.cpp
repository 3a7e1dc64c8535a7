#include <cmath>

#include "semiagcl/sampling.h"
#include "tools/learn/exercises/exercises.h"

using namespace sagcl;
using engine::Tensor;
using exercises::Numbers;

int main() try {
  exercises::Plane image{.height = 4, .width = 6, .values = {}};
  for (int i = 0; i < 24; ++i) image.values.push_back(0.5 + 0.45 * std::sin(1.7 * i));
  const Numbers entropy = exercises::patch_entropies(image, 2, 3);
  if (entropy.size() != 6) return exercises::unfinished("11_patches.cpp", "give the average entropy of each patch");
  learn::Claims claims;
  const Numbers halves = exercises::patch_entropies({.height = 2, .width = 2, .values = {0.5, 0.5, 0.25, 0.25}}, 2, 1);
  claims.check(halves.size() == 2 && std::abs(halves[0] - std::log(2)) < 1e-12, "½ everywhere: ln 2 = {:.6f}", std::log(2));
  claims.check(halves.size() == 2 && std::abs(halves[1] - (2 * std::log(2) - 0.75 * std::log(3))) < 1e-12,
               "¼ everywhere: 2 ln 2 - ¾ ln 3 = {:.6f}", 2 * std::log(2) - 0.75 * std::log(3));
  const Tensor pixels = Tensor::of({1, 1, 4, 6, 1}, image.values),
               ones = Tensor::full(pixels.shape(), 1, engine::Dtype::f64);
  const Numbers engine = semiagcl::patch_entropy(pixels, ones, {{1, 2, 3}}).to_doubles();
  for (std::size_t p = 0; p < 6; ++p)
    claims.check(std::abs(entropy[p] - engine[p]) < 1e-12, "patch {}: {:.6f}, the engine's {:.6f}", p, entropy[p],
                 engine[p]);

  const Numbers score = {0.2, 0.6, 0.3, 0.6, 0.69, 0.3, 0.1, 0.5}, confidence = {0.9, 0.4, 0.2, 0.8, 0.001, 0.3, 0.7, 0.02};
  const std::vector<int> best = exercises::top_patches(score, confidence, 0.01, 4);
  if (best.empty()) return exercises::unfinished("11_patches.cpp", "choose the patches");
  claims.check(best == std::vector<int>{1, 3, 7, 2},
               "the best four: 1 before 3 and 2 before 5, which are equal; without 4, "
               "which is not of the class");
  claims.check(exercises::top_patches(score, confidence, 0.75, 4) == std::vector<int>{3, 0}, "two are of the class: two");
  semiagcl::Method method;
  method.top_n = 4, method.top_n_share = 1, method.min_confidence = 0.01;
  const semiagcl::Picks picks =
      semiagcl::class_centric_patches(Tensor::of({1, 8, 1}, score), Tensor::of({1, 8, 1}, confidence), method);
  claims.check(picks.patch.to_vector<std::int32_t>() == std::vector<std::int32_t>(best.begin(), best.end()),
               "the engine takes the same");
  return claims.exit_code();
} catch (const std::exception& e) { return exercises::threw(e); }
