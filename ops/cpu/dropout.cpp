// Dropout in f32. Random words are arithmetic, not memory: several Philox blocks are made at once, and a channel is drawn
// once, not at every voxel.
#include <algorithm>

#include "ops/cpu/columns.h"
#include "ops/cpu/cpu_backend.h"
#include "ops/cpu/vectorised.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sagcl::ops::cpu {

namespace {

constexpr std::int64_t blocks = 64;  // Philox blocks of four words made together

/// engine::philox as a loop of arithmetic on 64-bit lanes, which compilers make vectors of where these multiply such lanes.
void plain_words(std::uint64_t first, const engine::RandomKey& key, std::uint32_t* words) {
  constexpr std::uint64_t low = 0xFFFFFFFF;
  const std::uint64_t stream0 = key.stream0, stream1 = key.stream1;
  const std::uint32_t key0 = key.key0, key1 = key.key1;
#pragma GCC ivdep
  for (std::uint64_t b = 0; b < std::uint64_t(blocks); ++b) {
    std::uint64_t c0 = (first + b) & low, c1 = (first + b) >> 32, c2 = stream0, c3 = stream1;
    std::uint32_t k0 = key0, k1 = key1;
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
      const std::uint64_t p = 0xD2511F53u * (c0 & low), q = 0xCD9E8D57u * (c2 & low);
      c0 = (q >> 32) ^ c1 ^ k0, c2 = (p >> 32) ^ c3 ^ k1;
      c1 = q & low, c3 = p & low;
    }
    words[4 * b] = std::uint32_t(c0), words[4 * b + 1] = std::uint32_t(c1);
    words[4 * b + 2] = std::uint32_t(c2), words[4 * b + 3] = std::uint32_t(c3);
  }
}

#if defined(__x86_64__)
void avx512_words(std::uint64_t first, const engine::RandomKey& key, std::uint32_t* words) {
  with_avx512([&] { plain_words(first, key, words); });
}

/// The same by hand, since only AVX-512 multiplies 64-bit lanes: one block in each, of which the low half counts until the
/// words are put together.
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
  if (kernels().lanes == 16) return avx512_words;
  if (kernels().lanes == 8) return avx2_words;
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

/// keep[i]: 1 or 0 for column i.
void drop_columns(std::int64_t rows, std::int64_t width, const float* keep, float factor, const float* x, float* y) {
  for (std::int64_t r = 0; r < rows; ++r, x += width, y += width) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < width; ++i) {
      const float scaled = x[i] * factor;
      y[i] = keep[i] != 0 ? scaled : 0.0f;
    }
  }
}

void drop_channels(const DropoutSpec& spec, std::int64_t images, std::int64_t rows, std::int64_t C, const float* x,
                   float* y) {
  const engine::RandomKey key = spec.key.now();
  const float p = float(spec.p), factor = float(1 / (1 - spec.p));
  const WideRows wide(C);
  std::vector<float> keep(static_cast<std::size_t>(C));
  for (std::int64_t n = 0; n < images; ++n, x += rows * C, y += rows * C) {
    for (std::int64_t c = 0; c < C; ++c) keep[std::size_t(c)] = engine::unit(key.word(std::uint64_t(n * C + c))) >= p;
    const std::vector<float> kept = wide.repeated(keep.data());
    for_chunks(wide, rows, [&](std::int64_t, std::int64_t first, std::int64_t count) {
      wide_then_rest(wide, count, [&](std::int64_t whole, std::int64_t width, std::int64_t offset) {
        const std::int64_t at = first * C + offset;
        vectorised([&] { drop_columns(whole, width, kept.data(), factor, x + at, y + at); });
      });
    });
  }
}

}  // namespace

void CpuBackend::dropout(const DropoutSpec& spec, const Tensor& x, Tensor& y) {
  if (x.dtype() != engine::Dtype::f32) return Shared::dropout(spec, x, y);
  if (spec.per_channel) {
    const std::int64_t images = x.shape()[0], C = x.shape().back();
    return drop_channels(spec, images, x.size() / (images * C), C, x.data<float>(), y.data<float>());
  }
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
