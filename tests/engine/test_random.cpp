#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/files/read_file.h"
#include "engine/parallel.h"
#include "engine/random.h"
#include "tests/support/golden.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using engine::Generator;
using engine::philox;
using engine::RandomKey;
using engine::Words;

/// Random words are unsigned 32-bit numbers stored as I64, which read_safetensors refuses to narrow: read them here.
class StoredWords {
 public:
  StoredWords() : bytes_(engine::read_file(golden_folder() / "rng_philox.safetensors")) {
    std::uint64_t size = 0;
    std::memcpy(&size, bytes_.data(), 8);
    header_ = nlohmann::json::parse(bytes_.substr(8, size));
    data_ = 8 + size;
  }
  template <class T>
  std::vector<T> get(const std::string& name) const {
    const auto& offsets = header_.at(name).at("data_offsets");
    std::vector<T> values((offsets[1].get<std::size_t>() - offsets[0].get<std::size_t>()) / sizeof(T));
    std::memcpy(values.data(), bytes_.data() + data_ + offsets[0].get<std::size_t>(), values.size() * sizeof(T));
    return values;
  }

 private:
  std::string bytes_;
  nlohmann::json header_;
  std::size_t data_ = 0;
};

Words block(const std::vector<std::int64_t>& counter, const std::vector<std::int64_t>& key, std::size_t c, std::size_t k) {
  Words w;
  for (std::size_t i = 0; i < 4; ++i) w.w[i] = std::uint32_t(counter[4 * c + i]);
  return philox(w, std::uint32_t(key[2 * k]), std::uint32_t(key[2 * k + 1]));
}

TEST(Philox, KnownAnswersOfRandom123) {
  const StoredWords golden;
  const auto counter = golden.get<std::int64_t>("kat/counter"), key = golden.get<std::int64_t>("kat/key"),
             words = golden.get<std::int64_t>("kat/words");
  ASSERT_EQ(words.size(), 12u);
  for (std::size_t v = 0; v < 3; ++v) {
    const Words w = block(counter, key, v, v);
    for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(std::int64_t(w.w[i]), words[4 * v + i]);
  }
}

TEST(Philox, GoldenStreams) {
  const StoredWords golden;
  const auto counter = golden.get<std::int64_t>("stream/counter"), key = golden.get<std::int64_t>("stream/key"),
             words = golden.get<std::int64_t>("stream/words");
  const auto units = golden.get<float>("stream/unit");
  for (std::size_t s = 0; s < 5; ++s)
    for (std::size_t b = 0; b < 16; ++b) {
      const Words w = block(counter, key, s * 16 + b, s);
      for (std::size_t i = 0; i < 4; ++i) {
        EXPECT_EQ(std::int64_t(w.w[i]), words[s * 64 + b * 4 + i]);
        EXPECT_EQ(engine::unit(w.w[i]), units[s * 64 + b * 4 + i]);
      }
    }
}

TEST(Philox, KeyWordsAreLanesOfConsecutiveCounters) {
  const StoredWords golden;
  const RandomKey key{4, 5, 2, 3};  // counter (i/4, 0, 2, 3): the recipe's words use (i/4, 1, 2, 3), reached at i/4 = 2^32
  const auto words = golden.get<std::int64_t>("recipe/words_1_2_3");
  for (std::size_t i = 0; i < words.size(); ++i) EXPECT_EQ(std::int64_t(key.word((std::uint64_t(1) << 34) + i)), words[i]);
}

TEST(Generator, IsDescribedBySeedPurposeAndStep) {
  const auto first = [](Generator g) { return g.word(); };
  EXPECT_EQ(first({1, "crop", 5}), first({1, "crop", 5}));
  const std::set<std::uint32_t> different{first({1, "crop", 5}),
                                          first({2, "crop", 5}),
                                          first({1, "flip", 5}),
                                          first({1, "crop", 6}),
                                          first(Generator(1, "crop", 5).fork(0)),
                                          first(Generator(1, "crop", 5).fork(1))};
  EXPECT_EQ(different.size(), 6u);
}

TEST(Generator, ForksDoNotDependOnWhatWasDrawn) {
  Generator a(1, "x");
  const Generator before = a.fork(3);
  a.uniform();
  Generator p = before, q = a.fork(3);
  EXPECT_EQ(p.word(), q.word());
}

TEST(Generator, DrawsFromTheRightDistributions) {
  Generator g(7, "distributions");
  double sum = 0, squares = 0, mean = 0;
  const int n = 20000;
  std::vector<int> counts(6);
  for (int i = 0; i < n; ++i) {
    const double z = g.normal(), u = g.uniform();
    ASSERT_TRUE(u >= 0 && u < 1);
    sum += z, squares += z * z, mean += u;
    ++counts[std::size_t(g.integer(6))];
  }
  EXPECT_NEAR(sum / n, 0, 0.03);
  EXPECT_NEAR(squares / n, 1, 0.05);
  EXPECT_NEAR(mean / n, 0.5, 0.01);
  for (int c : counts) EXPECT_NEAR(c, n / 6, 250);
  EXPECT_TRUE(throws<engine::UsageError>([&] { g.integer(0); }, "n > 0"));
}

TEST(Generator, PermutationsHoldEveryNumberOnce) {
  Generator g(1, "order");
  const std::vector<std::int64_t> order = g.permutation(100);
  EXPECT_EQ(std::set<std::int64_t>(order.begin(), order.end()).size(), 100u);
  EXPECT_NE(order, g.permutation(100));
}

TEST(Parallel, EveryIndexOnceForAnyNumberOfThreads) {
  const int before = engine::threads();
  for (int threads : {1, 2, 3, 8}) {
    engine::set_threads(threads);
    std::vector<int> seen(10007);
    engine::parallel_for(std::int64_t(seen.size()), 1, [&](std::int64_t i) { ++seen[std::size_t(i)]; });
    EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), 10007) << threads;
  }
  engine::set_threads(before);
}

TEST(Parallel, SumsHaveTheSameBitsForAnyNumberOfThreads) {
  const int before = engine::threads();
  const auto sum = [](int threads) {
    engine::set_threads(threads);
    return engine::parallel_sum<float>(100001, [](std::int64_t i) { return 1.0f / float(i + 1); });
  };
  const float one = sum(1);
  EXPECT_EQ(one, sum(2));
  EXPECT_EQ(one, sum(7));
  engine::set_threads(before);
}

}  // namespace
}  // namespace sagcl::tests
