// Sums over processes, played by threads: the same bits however many there are.
#include "engine/processes/communicator.h"

#include <gtest/gtest.h>

#include "engine/processes/pairwise_sum.h"
#include "tests/support/thread_world.h"
#include "tests/support/throws.h"

namespace sagcl::engine {
namespace {

using tests::ThreadWorld;

constexpr int lists = 8;

/// List i of eight: tensors of awkward sizes whose sum depends on the order of the additions.
std::vector<Tensor> list(int i) {
  std::uint32_t state = std::uint32_t(i);
  std::vector<Tensor> all;
  for (std::int64_t n : {1, 13, 4'300'000, 0, 700}) {  // the third does not fit a bucket
    Tensor t = Tensor::empty({n});
    for (std::int64_t k = 0; k < n; ++k) {
      state = state * 1664525u + 1013904223u;
      t.data<float>()[k] = float(std::int32_t(state)) * float(1 << k % 20);
    }
    all.push_back(t);
  }
  return all;
}

std::vector<float> joined(const std::vector<Tensor>& tensors) {
  std::vector<float> all;
  for (const Tensor& t : tensors) all.insert(all.end(), t.data<float>(), t.data<float>() + t.size());
  return all;
}

TEST(Communicator, SumsHaveTheSameBitsForAnyNumberOfProcesses) {
  PairwiseSum alone_sum;
  for (int i = 0; i < lists; ++i) alone_sum.add(list(i));
  const std::vector<float> expected = joined(alone_sum.take());
  std::vector<float> one_after_the_other = joined(list(0));
  for (int i = 1; i < lists; ++i) {
    const std::vector<float> next = joined(list(i));
    for (std::size_t k = 0; k < next.size(); ++k) one_after_the_other[k] += next[k];
  }
  EXPECT_FALSE(expected == one_after_the_other);  // else the test would not see the order
  for (int processes : {1, 2, 4, 8}) {
    ThreadWorld(processes).run([&](Communicator& ranks) {
      PairwiseSum sum;
      const int share = lists / processes;
      for (int i = 0; i < share; ++i) sum.add(list(ranks.rank() * share + i));
      const std::vector<Tensor> result = sum.take();
      sum_over_processes(ranks, result);
      EXPECT_TRUE(joined(result) == expected) << processes;
    });
  }
}

TEST(Communicator, SumsLeaveSharedTensorsAlone) {
  const Tensor kept = Tensor::full({3}, 2);
  PairwiseSum sum;
  sum.add({kept}), sum.add({kept});
  EXPECT_EQ(sum.take()[0].to_doubles(), (std::vector<double>{4, 4, 4}));
  EXPECT_EQ(kept.to_doubles(), (std::vector<double>{2, 2, 2}));
}

TEST(Communicator, OnlyPowersOfTwoCanBeAddedInPairs) {
  PairwiseSum sum;
  for (int i = 0; i < 3; ++i) sum.add({Tensor::zeros({2})});
  EXPECT_TRUE(tests::throws<UsageError>([&] { sum.take(); }, "3 lists were added"));
  const auto three = [] {
    ThreadWorld(3).run([](Communicator& ranks) { sum_over_processes(ranks, {Tensor::zeros({2})}); });
  };
  EXPECT_TRUE(tests::throws<UsageError>(three, "sum over 3 processes"));
  PairwiseSum other;
  other.add({Tensor::zeros({2})});
  EXPECT_TRUE(tests::throws<ShapeError>([&] { other.add({Tensor::zeros({3})}); }, "[2]"));
}

TEST(Communicator, TextsOfAnyLengthAreGathered) {
  const std::vector<std::string> texts = {"", "a", std::string(100'000, 'b'), std::string("\0c", 2)};
  ThreadWorld(4).run([&](Communicator& ranks) { EXPECT_EQ(gather(ranks, texts[std::size_t(ranks.rank())]), texts); });
  EXPECT_EQ(gather(alone(), "me"), std::vector<std::string>{"me"});
}

TEST(Communicator, OneIsEnoughForAny) {
  ThreadWorld(4).run([](Communicator& ranks) {
    EXPECT_TRUE(any(ranks, ranks.rank() == 2));
    EXPECT_FALSE(any(ranks, false));
  });
  EXPECT_TRUE(any(alone(), true));
  EXPECT_FALSE(any(alone(), false));
}

}  // namespace
}  // namespace sagcl::engine
