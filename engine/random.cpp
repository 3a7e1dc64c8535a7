#include "engine/random.h"

#include <cmath>
#include <numbers>
#include <numeric>

#include "engine/error.h"
#include "engine/hash.h"

namespace sagcl::engine {
namespace {

/// Mixes a number into a key; distinct inputs give unrelated streams because Philox is a bijection of its counter.
RandomKey derive(const RandomKey& key, std::uint64_t a, std::uint32_t domain) {
  const Words w =
      philox(Words{{std::uint32_t(a), std::uint32_t(a >> 32), key.stream0, key.stream1 ^ domain}}, key.key0, key.key1);
  return {.key0 = w.w[0], .key1 = w.w[1], .stream0 = w.w[2], .stream1 = w.w[3]};
}

}  // namespace

Generator::Generator(std::uint64_t seed, std::string_view purpose, std::uint64_t step) {
  const std::uint64_t h = hash(purpose);
  const RandomKey root{.key0 = std::uint32_t(seed),
                       .key1 = std::uint32_t(seed >> 32),
                       .stream0 = std::uint32_t(h),
                       .stream1 = std::uint32_t(h >> 32)};
  key_ = derive(root, step, 0x53544550u);
}

Generator Generator::fork(std::uint64_t index) const {
  Generator child = *this;
  child.key_ = derive(key_, index, 0x464F524Bu);
  child.drawn_ = 0;
  if (places_) child.forks_.push_back(index);
  return child;
}

RandomKey Generator::key(std::uint64_t number) const { return derive(key_, number, 0x4B455953u); }

RandomKey Generator::next_key() {
  RandomKey next = key(drawn_);
  if (places_) next.at = places_->place(forks_, drawn_);
  ++drawn_;
  return next;
}

Generator Generator::reading(KeyPlaces& places) const {
  Generator same = *this;
  same.places_ = &places;
  return same;
}

void Generator::refuse() {
  fail<UsageError>(
      "work that is recorded may draw keys (next_key) only: a number drawn by the host would be the same in every replay");
}

std::int64_t Generator::integer(std::int64_t n) {
  require<UsageError>(n > 0, "integer(n) needs n > 0, got {}", n);
  const std::uint64_t bound = std::uint64_t(n), limit = ~std::uint64_t(0) - (~std::uint64_t(0) % bound + 1) % bound;
  for (;;) {  // reject the incomplete last interval
    const std::uint64_t high = word(), draw = high << 32 | word();
    if (draw <= limit) return std::int64_t(draw % bound);
  }
}

double Generator::normal() {
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

std::vector<std::int64_t> Generator::permutation(std::int64_t n) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  for (std::int64_t i = n - 1; i > 0; --i) std::swap(order[std::size_t(i)], order[std::size_t(integer(i + 1))]);
  return order;
}

}  // namespace sagcl::engine
