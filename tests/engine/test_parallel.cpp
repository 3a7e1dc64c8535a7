#include "engine/parallel.h"

#include <gtest/gtest.h>

#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace sagcl::engine {
namespace {

class Threads : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override { set_threads(GetParam()); }
  void TearDown() override { set_threads(before_); }

 private:
  const int before_ = threads();
};

INSTANTIATE_TEST_SUITE_P(Of, Threads, ::testing::Values(1, 2, 8));

TEST_P(Threads, WhatIsMadeInParallelIsTakenInOrder) {
  for (const std::int64_t n : {0, 1, 2, 7, 8, 9, 100}) {
    std::string taken, expected;
    for (std::int64_t i = 0; i < n; ++i) expected += std::to_string(i * i) + " ";
    make_in_order(
        n, [](std::int64_t i) { return std::to_string(i * i); },
        [&](std::int64_t, const std::string& made) { taken += made + " "; });
    EXPECT_EQ(taken, expected);
  }
}

TEST_P(Threads, TheFirstFailureInOrderIsThrownAndWhatIsBeforeItTaken) {
  std::vector<std::int64_t> taken;
  const auto make = [](std::int64_t i) {
    if (i >= 5) throw std::runtime_error(std::to_string(i));
    return i;
  };
  try {
    make_in_order(20, make, [&](std::int64_t i, std::int64_t) { taken.push_back(i); });
    FAIL() << "nothing was thrown";
  } catch (const std::runtime_error& e) { EXPECT_STREQ(e.what(), "5"); }
  EXPECT_EQ(taken, (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
}

TEST_P(Threads, AFailureOfTheTakerEndsIt) {
  int made = 0;
  const auto take = [](std::int64_t i, int) {
    if (i == 2) throw std::runtime_error("full");
  };
  std::mutex counted;
  const auto make = [&](std::int64_t) {
    const std::lock_guard lock(counted);
    return ++made;
  };
  EXPECT_THROW(make_in_order(1000, make, take), std::runtime_error);
  EXPECT_LE(made, 2 + GetParam());
}

}  // namespace
}  // namespace sagcl::engine
