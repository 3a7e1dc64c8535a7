#include <gtest/gtest.h>

#include "semiagcl/baselines/parts/row_queue.h"
#include "tests/support/by_hand.h"
#include "tests/support/golden.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;

TEST(RowQueue, KeepsTheNewestRowsOfEachGroup) {
  RowQueue queue(2, 3, 1, {});
  queue.push(Tensor::of<float>({2, 2, 1}, {1, 2, 3, 4}), {});
  EXPECT_EQ(queue.rows().to_doubles(), (Doubles{1, 2, 0, 3, 4, 0}));
  EXPECT_EQ(queue.filled().to_doubles(), (Doubles{1, 1, 0, 1, 1, 0}));
  queue.push(Tensor::of<float>({2, 2, 1}, {5, 6, 7, 8}), number(1), Tensor::of<float>({2}, {0, 1}));
  EXPECT_EQ(queue.rows().to_doubles(), (Doubles{1, 2, 0, 7, 8, 3}));
  EXPECT_EQ(queue.filled().to_doubles(), (Doubles{1, 1, 0, 1, 1, 1}));
  queue.push(Tensor::of<float>({2, 2, 1}, {9, 9, 9, 9}), number(0));
  EXPECT_EQ(queue.rows().to_doubles(), (Doubles{1, 2, 0, 7, 8, 3}));
  queue.push(Tensor::of<float>({2, 4, 1}, {1, 2, 3, 4, 5, 6, 7, 8}), {});
  EXPECT_EQ(queue.rows().to_doubles(), (Doubles{1, 2, 3, 5, 6, 7}));

  RowQueue other(2, 3, 1, {}), small(2, 2, 1, {});
  other.load(queue.state());
  EXPECT_TRUE(identical(other.rows(), queue.rows()));
  EXPECT_TRUE(throws<engine::DataError>([&] { small.load(queue.state()); }, "[2, 3"));
  EXPECT_TRUE(throws<engine::DataError>([&] { small.load({}); }, "rows"));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { queue.push(Tensor::zeros({1, 2, 1}), {}); }, "RowQueue"));
}

}  // namespace
}  // namespace sagcl::tests
