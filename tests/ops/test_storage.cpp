#include "ops/storage.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "engine/parallel.h"
#include "tests/support/golden.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using engine::Dtype;

Tensor rounded(const Tensor& x) { return ops::storage("bf16")(x)(); }

float from_bits(std::uint32_t bits) { return std::bit_cast<float>(bits); }

TEST(Storage, EveryBf16IsItself) {
  Tensor x = Tensor::empty({1 << 16});
  for (std::uint32_t i = 0; i < 1 << 16; ++i) x.data<float>()[i] = from_bits(i << 16);
  const Tensor y = rounded(x);
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const float a = x.data<float>()[i], b = y.data<float>()[i];
    if (std::isnan(a)) EXPECT_TRUE(std::isnan(b)) << i;
    else EXPECT_EQ(std::bit_cast<std::uint32_t>(a), std::bit_cast<std::uint32_t>(b)) << i;
  }
}

TEST(Storage, OthersBecomeTheNearestOrTheEvenOne) {
  struct Case {
    std::uint32_t given, expected;
  };
  for (const Case c : {Case{0x3f800001, 0x3f800000},
                       {0x3f807fff, 0x3f800000},
                       {0x3f808000, 0x3f800000},  // a tie, down
                       {0x3f808001, 0x3f810000},
                       {0x3f818000, 0x3f820000},  // a tie, up
                       {0xbf818000, 0xbf820000},
                       {0x3fffffff, 0x40000000},
                       {0x7f7fffff, 0x7f800000},  // beyond the largest
                       {0x00000001, 0x00000000},
                       {0x00018000, 0x00020000},
                       {0x80000000, 0x80000000}}) {
    const Tensor y = rounded(Tensor::full({1}, from_bits(c.given)));
    EXPECT_EQ(std::bit_cast<std::uint32_t>(float(y.item())), c.expected) << std::hex << c.given;
  }
  const Tensor nan = Tensor::full({1}, from_bits(0x7f800001));  // whose upper half alone would be infinity
  EXPECT_TRUE(std::isnan(rounded(nan).item()));
  const Tensor x = random_tensor({10000}, 3, Dtype::f32), y = rounded(x);
  for (std::int64_t i = 0; i < x.size(); ++i)
    EXPECT_LE(std::abs(x.data<float>()[i] - y.data<float>()[i]), std::abs(x.data<float>()[i]) / 256);
}

TEST(Storage, LeavesOtherTypesAndNamesItsChoices) {
  EXPECT_FALSE(ops::storage("bf16")(Tensor::zeros({2}, Dtype::f64)));
  EXPECT_FALSE(ops::storage("f32"));
  EXPECT_TRUE(throws<engine::UsageError>([] { ops::storage("fp16"); }, "storage 'fp16' is unknown; choose f32 or bf16"));
}

TEST(Storage, HasTheSameBitsOnAnyNumberOfThreads) {
  const Tensor x = random_tensor({3, 17, 1001}, 4, Dtype::f32), y = rounded(x);
  const int before = engine::threads();
  for (const int threads : {1, 2, 8}) {
    engine::set_threads(threads);
    EXPECT_TRUE(identical(rounded(x), y)) << threads;
  }
  engine::set_threads(before);
}

}  // namespace
}  // namespace sagcl::tests
