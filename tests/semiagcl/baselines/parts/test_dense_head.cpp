#include <gtest/gtest.h>

#include "semiagcl/baselines/parts/dense_head.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;

TEST(DenseHead, HasTheParametersOfItsConvolutions) {
  engine::Generator random(1, "head");
  DenseHead images({.width = 16}, true, 512, random), volumes({.width = 16}, false, 128, random);
  EXPECT_EQ(layers::count_parameters(images), 496 * 512 * 9 + 512 + 2 * 512 + 512 * 512 + 512);
  EXPECT_EQ(layers::count_parameters(volumes), 496 * 128 * 27 + 128 + 2 * 128 + 128 * 128 + 128);
}

}  // namespace
}  // namespace sagcl::tests
