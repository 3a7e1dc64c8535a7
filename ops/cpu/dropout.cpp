// Dropout in f32. Random words are arithmetic, not memory: with AVX2 four Philox blocks are made at once.
#include "ops/cpu/columns.h"

#include <algorithm>
#include "ops/cpu/cpu_backend.h"
#include "ops/cpu/vectorised.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sagcl::ops::cpu {

namespace {

constexpr std::int64_t blocks = 64;  // Philox blocks of four words made together

void plain_words(std::uint64_t first, const engine::RandomKey& key, std::uint32_t* words) {
  for (std::uint64_t b = 0; b < std::uint64_t(blocks); ++b) {
    const std::uint64_t block = first + b;
    const engine::Words w = engine::philox(
        engine::Words{{std::uint32_t(block), std::uint32_t(block >> 32), key.stream0, key.stream1}}, key.key0, key.key1);
    for (int i = 0; i < 4; ++i) words[4 * b + std::uint64_t(i)] = w.w[i];
  }
}

#if defined(__x86_64__)
/// The same: one block in each 64-bit lane, of which the low half counts until the words are put together.
__attribute__((target("avx2"))) void avx2_words(std::uint64_t first, const engine::RandomKey& key, std::uint32_t* words) {
  const __m256i factor0 = _mm256_set1_epi64x(0xD2511F53), factor1 = _mm256_set1_epi64x(0xCD9E8D57),
                low = _mm256_set1_epi64x(0xFFFFFFFF);
  for (std::int64_t b = 0; b < blocks; b += 4) {
    const __m256i block = _mm256_add_epi64(_mm256_set1_epi64x(std::int64_t(first) + b), _mm256_setr_epi64x(0, 1, 2, 3));
    __m256i c0 = block, c1 = _mm256_srli_epi64(block, 32), c2 = _mm256_set1_epi64x(key.stream0),
            c3 = _mm256_set1_epi64x(key.stream1);
    std::uint32_t k0 = key.key0, k1 = key.key1;
    for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
      const __m256i p = _mm256_mul_epu32(c0, factor0), q = _mm256_mul_epu32(c2, factor1);
      c0 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(q, 32), c1), _mm256_set1_epi64x(k0));
      c2 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p, 32), c3), _mm256_set1_epi64x(k1));
      c1 = q;
      c3 = p;
    }
    const __m256i front = _mm256_or_si256(_mm256_and_si256(c0, low), _mm256_slli_epi64(c1, 32));
    const __m256i back = _mm256_or_si256(_mm256_and_si256(c2, low), _mm256_slli_epi64(c3, 32));
    const __m256i even = _mm256_unpacklo_epi64(front, back), odd = _mm256_unpackhi_epi64(front, back);
    auto* out = reinterpret_cast<__m256i*>(words + 4 * b);
    _mm256_storeu_si256(out, _mm256_permute2x128_si256(even, odd, 0x20));
    _mm256_storeu_si256(out + 1, _mm256_permute2x128_si256(even, odd, 0x31));
  }
}
#endif

using MakeWords = void (*)(std::uint64_t, const engine::RandomKey&, std::uint32_t*);
MakeWords make_words() {
#if defined(__x86_64__)
  if (kernels().lanes >= 8) return avx2_words;
#endif
  return plain_words;
}

void drop(std::int64_t n, const std::uint32_t* words, float p, float factor, const float* x, float* y) {
#pragma GCC ivdep
  for (std::int64_t i = 0; i < n; ++i) {
    const float unit = float(std::int32_t(words[i] >> 8)) * (1.0f / 16777216.0f), scaled = x[i] * factor;
    y[i] = unit >= p ? scaled : 0.0f;
  }
}

}  // namespace

void CpuBackend::dropout(const DropoutSpec& spec, const Tensor& x, Tensor& y) {
  if (x.dtype() != engine::Dtype::f32 || spec.per_channel) return Shared::dropout(spec, x, y);
  const std::int64_t n = x.size(), group = 4 * blocks;
  const float p = float(spec.p), factor = float(1 / (1 - spec.p));
  const float* in = x.data<float>();
  float* out = y.data<float>();
  const MakeWords make = make_words();
  const engine::RandomKey key = spec.key.now();
  engine::parallel_ranges((n + group - 1) / group, 16, [&](std::int64_t begin, std::int64_t end) {
    alignas(64) std::uint32_t words[group];
    for (std::int64_t g = begin; g < end; ++g) {
      make(std::uint64_t(g * blocks), key, words);
      vectorised([&] { drop(std::min(group, n - g * group), words, p, factor, in + g * group, out + g * group); });
    }
  });
}

}  // namespace sagcl::ops::cpu
