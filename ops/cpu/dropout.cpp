// Dropout in f32. Random words are arithmetic, not memory, unless many blocks of them are made at once.
#include "ops/cpu/columns.h"
#include "ops/cpu/fast.h"

namespace sagcl::ops::cpu {

namespace {

constexpr std::int64_t lanes = 16;  // blocks of four words made together

/// Sixteen Philox blocks, counters first … first + 15: words[w][lane] is word w of block first + lane.
SAGCL_CLONES
void philox_blocks(std::uint64_t first, const engine::RandomKey& key, std::uint32_t words[4][lanes]) {
  std::uint32_t c0[lanes], c1[lanes], c2[lanes], c3[lanes];
  for (std::int64_t l = 0; l < lanes; ++l) {
    const std::uint64_t block = first + std::uint64_t(l);
    c0[l] = std::uint32_t(block), c1[l] = std::uint32_t(block >> 32), c2[l] = key.stream0, c3[l] = key.stream1;
  }
  std::uint32_t k0 = key.key0, k1 = key.key1;
  for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
    for (std::int64_t l = 0; l < lanes; ++l) {
      const std::uint64_t a = std::uint64_t(0xD2511F53u) * c0[l], b = std::uint64_t(0xCD9E8D57u) * c2[l];
      c0[l] = std::uint32_t(b >> 32) ^ c1[l] ^ k0, c1[l] = std::uint32_t(b);
      c2[l] = std::uint32_t(a >> 32) ^ c3[l] ^ k1, c3[l] = std::uint32_t(a);
    }
  for (std::int64_t l = 0; l < lanes; ++l) words[0][l] = c0[l], words[1][l] = c1[l], words[2][l] = c2[l], words[3][l] = c3[l];
}

/// 64 elements from sixteen blocks.
SAGCL_CLONES
void drop_blocks(const std::uint32_t words[4][lanes], float p, float factor, const float* x, float* y) {
#pragma GCC ivdep
  for (std::int64_t l = 0; l < lanes; ++l)
    for (std::int64_t w = 0; w < 4; ++w) {
      const float unit = float(std::int32_t(words[w][l] >> 8)) * (1.0f / 16777216.0f);
      y[4 * l + w] = unit >= p ? x[4 * l + w] * factor : 0.0f;
    }
}

}  // namespace

void dropout(const DropoutSpec& spec, const Tensor& x, Tensor& y) {
  const std::int64_t n = x.size(), group = 4 * lanes;
  const float p = float(spec.p), factor = float(1 / (1 - spec.p));
  const float* in = x.data<float>();
  float* out = y.data<float>();
  engine::parallel_ranges((n + group - 1) / group, 64, [&](std::int64_t begin, std::int64_t end) {
    alignas(64) std::uint32_t words[4][lanes];
    for (std::int64_t b = begin; b < end; ++b) {
      philox_blocks(std::uint64_t(b * lanes), spec.key, words);
      if ((b + 1) * group <= n) {
        drop_blocks(words, p, factor, in + b * group, out + b * group);
        continue;
      }
      for (std::int64_t i = b * group; i < n; ++i) {
        const std::int64_t k = i - b * group;
        out[i] = engine::unit(words[k % 4][k / 4]) >= p ? in[i] * factor : 0.0f;
      }
    }
  });
}

}  // namespace sagcl::ops::cpu
