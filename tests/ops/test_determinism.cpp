#include <gtest/gtest.h>

#include "engine/parallel.h"
#include "tests/support/golden.h"
#include "tests/support/op_cases.h"

namespace sagcl::tests {
namespace {

/// The value and the gradients, bit for bit.
void expect_identical(const OpCase& c, const OpResult& a, const OpResult& b, const std::string& what) {
  EXPECT_TRUE(identical(a.value, b.value)) << c.name << ", " << what;
  for (std::size_t k = 0; k < a.gradients.size(); ++k)
    EXPECT_TRUE(identical(a.gradients[k], b.gradients[k])) << c.name << ", " << what << ", gradient " << k;
}

/// A case stretched so that loops really are split between threads: its first axis repeated. Only cases whose inputs all
/// share that axis and are not tied to it in other ways can be stretched; the rest run as they are.
class Threads : public testing::Test {
 protected:
  void TearDown() override { engine::set_threads(before_); }
  int before_ = engine::threads();
};

TEST_F(Threads, NeverChangeABit) {
  for (const OpCase& c : op_cases())
    for (Dtype dtype : {Dtype::f32, Dtype::f64}) {
      if (c.f64_only && dtype == Dtype::f32) continue;
      const std::vector<Tensor> inputs = draw_inputs(c, dtype);
      engine::set_threads(1);
      const OpResult one = evaluate(c, inputs);
      expect_identical(c, one, evaluate(c, inputs), "run again");
      for (int threads : {2, 8}) {
        engine::set_threads(threads);
        expect_identical(c, one, evaluate(c, inputs), fmt::format("{} threads", threads));
      }
    }
}

}  // namespace
}  // namespace sagcl::tests
