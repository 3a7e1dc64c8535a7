#include <cmath>

#include "semiagcl/contrastive_loss.h"
#include "semiagcl/memory_bank.h"
#include "tools/learn/exercises/exercises.h"

using namespace sagcl;
using engine::Dtype;
using engine::Tensor;
using exercises::Numbers;

int main() try {
  const auto unit = [](double angle) { return Numbers{std::cos(angle), std::sin(angle)}; };
  semiagcl::Method method;
  method.bank_size = 3, method.projection_dim = 2;
  semiagcl::MemoryBank theirs(1, method, engine::Device::cpu(), Dtype::f64);
  exercises::Bank ours{.room = 3, .keys = {}};
  const semiagcl::Picks one{Tensor::of<std::int32_t>({1, 1}, {0}), Tensor::of<std::int32_t>({1}, {1})};
  for (double angle : {0.5, 1.0, 2.0, 3.0, 4.0}) {
    exercises::store(ours, unit(angle));
    theirs.store(Tensor::of({1, 2}, unit(angle)), one, Tensor::full({1}, 1, Dtype::f64));
  }
  if (ours.keys.empty()) return exercises::unfinished("09_memory_bank.cpp", "store a key, let the oldest make room");
  learn::Claims claims;
  claims.check(ours.keys == std::vector<Numbers>{unit(2), unit(3), unit(4)}, "five keys in a bank of three: the last three");
  Numbers row;
  for (const Numbers& key : ours.keys) row.insert(row.end(), key.begin(), key.end());
  claims.check(row == theirs.of(0).keys.to_doubles(), "the engine's bank holds the same");

  const Numbers q = unit(0), k = unit(0.6);
  const exercises::Bank negatives{.room = 3, .keys = {unit(2), unit(3), unit(-0.9)}};
  if (exercises::contrastive_loss(q, k, negatives, 1) < 0)
    return exercises::unfinished("09_memory_bank.cpp", "write the loss of an anchor");
  for (double tau : {1.0, 0.2, 0.001}) {
    const double loss = exercises::contrastive_loss(q, k, negatives, tau);
    const Tensor engine =
        semiagcl::contrastive_losses(autograd::Variable(Tensor::of({1, 2}, q)),
                                     {.keys = Tensor::of({1, 2}, k),
                                      .weights = Tensor::full({1, 1}, 1, Dtype::f64),
                                      .shared = Tensor::of<double>({3, 2}, {std::cos(2), std::sin(2), std::cos(3),
                                                                            std::sin(3), std::cos(-0.9), std::sin(-0.9)}),
                                      .tau = tau})
            .value();
    claims.check(std::abs(loss - engine.item()) < 1e-12, "τ = {}: loss {:.6f}, the engine's {:.6f}", tau, loss,
                 engine.item());
  }
  const exercises::Bank nearer{.room = 1, .keys = {unit(0)}};  // a negative that is the anchor itself
  const double mistaken = exercises::contrastive_loss(q, k, nearer, 0.001);
  claims.check(std::abs(mistaken - 1000 * (1 - std::cos(0.6))) < 1e-9,
               "taken for another at τ = 0.001: loss {:.4f}, and the hand says (1 - cos 0.6) / τ", mistaken);
  return claims.exit_code();
} catch (const std::exception& e) { return exercises::threw(e); }
