#pragma once
#include <cstdint>

#include "engine/host_device.h"

namespace sagcl::engine {

/// Four random words.
struct Words {
  std::uint32_t w[4];
};

/// Philox-4x32 with ten rounds (Salmon et al., SC'11): four random words for one 128-bit counter and a 64-bit key.
/// The same function runs on every device, so all draw the same numbers, in any order of threads.
SAGCL_BOTH inline Words philox(Words counter, std::uint32_t key0, std::uint32_t key1) {
  std::uint32_t* c = counter.w;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t(0xD2511F53u) * c[0], b = std::uint64_t(0xCD9E8D57u) * c[2];
    counter = Words{
        {std::uint32_t(b >> 32) ^ c[1] ^ key0, std::uint32_t(b), std::uint32_t(a >> 32) ^ c[3] ^ key1, std::uint32_t(a)}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

/// Uniform in [0, 1) from 24 random bits: exact in float, hence equal on every device.
SAGCL_BOTH inline float unit(std::uint32_t word) { return float(word >> 8) * (1.0f / 16777216.0f); }

/// A stream of random words: word i is lane i % 4 of the counter (i / 4, stream). A plain value kernels can take.
struct RandomKey {
  std::uint32_t key0 = 0, key1 = 0;        ///< the seed
  std::uint32_t stream0 = 0, stream1 = 0;  ///< purpose and step
  const RandomKey* at = nullptr;           ///< if set, the key stands there when a kernel runs: recorded work draws anew

  SAGCL_BOTH RandomKey now() const { return at ? *at : *this; }
  SAGCL_BOTH std::uint32_t word(std::uint64_t i) const {
    const std::uint64_t block = i / 4;
    return philox(Words{{std::uint32_t(block), std::uint32_t(block >> 32), stream0, stream1}}, key0, key1).w[i % 4];
  }
};

}  // namespace sagcl::engine
