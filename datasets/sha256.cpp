#include "datasets/sha256.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

#include <fmt/format.h>

namespace sagcl::datasets {
namespace {

using Words8 = std::array<std::uint32_t, 8>;

/// The first 32 fraction bits of the square (root 2) or cube (root 3) roots of the first primes, FIPS 180-4, 4.2.2
/// and 5.3.3.
template <std::size_t N>
std::array<std::uint32_t, N> root_fractions(int root) {
  std::array<std::uint32_t, N> out{};
  std::size_t found = 0;
  for (int p = 2; found < N; ++p) {
    bool prime = true;
    for (int d = 2; d * d <= p; ++d) prime = prime && p % d != 0;
    if (!prime) continue;
    const long double r = root == 2 ? std::sqrt((long double)p) : std::cbrt((long double)p);
    out[found++] = std::uint32_t((r - std::floor(r)) * 4294967296.0L);
  }
  return out;
}

void digest_block(Words8& h, const unsigned char* block) {
  static const auto k = root_fractions<64>(3);
  std::uint32_t w[64];
  for (int t = 0; t < 16; ++t)
    w[t] = std::uint32_t(block[4 * t]) << 24 | std::uint32_t(block[4 * t + 1]) << 16 | std::uint32_t(block[4 * t + 2]) << 8 |
           block[4 * t + 3];
  for (int t = 16; t < 64; ++t) {
    const std::uint32_t a = w[t - 15], b = w[t - 2];
    w[t] = w[t - 16] + w[t - 7] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ a >> 3) +
           (std::rotr(b, 17) ^ std::rotr(b, 19) ^ b >> 10);
  }
  Words8 v = h;
  for (std::size_t t = 0; t < 64; ++t) {
    const std::uint32_t s1 = std::rotr(v[4], 6) ^ std::rotr(v[4], 11) ^ std::rotr(v[4], 25),
                        choose = (v[4] & v[5]) ^ (~v[4] & v[6]);
    const std::uint32_t s0 = std::rotr(v[0], 2) ^ std::rotr(v[0], 13) ^ std::rotr(v[0], 22),
                        major = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
    const std::uint32_t t1 = v[7] + s1 + choose + k[t] + w[t];
    v = {t1 + s0 + major, v[0], v[1], v[2], v[3] + t1, v[4], v[5], v[6]};
  }
  for (std::size_t i = 0; i < 8; ++i) h[i] += v[i];
}

}  // namespace

std::string sha256(std::string_view bytes) {
  Words8 h = root_fractions<8>(2);
  const auto* p = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t at = 0;
  for (; at + 64 <= bytes.size(); at += 64) digest_block(h, p + at);
  std::string tail(bytes.substr(at));  // the rest, a one bit, zeros, and the length in bits
  tail += '\x80';
  tail.resize(tail.size() > 56 ? 120 : 56, '\0');
  for (int shift = 56; shift >= 0; shift -= 8) tail += char(std::uint64_t(bytes.size()) * 8 >> shift);
  for (at = 0; at < tail.size(); at += 64) digest_block(h, reinterpret_cast<const unsigned char*>(tail.data()) + at);
  std::string text;
  for (std::uint32_t v : h) text += fmt::format("{:08x}", v);
  return text;
}

}  // namespace sagcl::datasets
