#include <algorithm>
#include <cmath>
#include <numeric>

#include "tools/learn/exercises/exercises.h"

namespace sagcl::exercises {

void store(Bank& bank, const Numbers& key) {
  bank.keys.push_back(key);
  if (bank.keys.size() > bank.room) bank.keys.erase(bank.keys.begin());
}

double contrastive_loss(const Numbers& q, const Numbers& k, const Bank& negatives, double tau) {
  const auto score = [&](const Numbers& key) { return std::inner_product(q.begin(), q.end(), key.begin(), 0.0) / tau; };
  double largest = score(k);
  for (const Numbers& n : negatives.keys) largest = std::max(largest, score(n));
  double sum = std::exp(score(k) - largest);
  for (const Numbers& n : negatives.keys) sum += std::exp(score(n) - largest);
  return largest + std::log(sum) - score(k);
}

}  // namespace sagcl::exercises
