#include <gtest/gtest.h>

#include "engine/parallel.h"
#include "ops/conv.h"
#include "ops/dropout.h"
#include "ops/layout.h"
#include "ops/norm.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "ops/resize.h"
#include "ops/softmax.h"
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

using Inputs = std::vector<Variable>;

/// Sizes at which the CPU splits its loops into many chunks and spreads them over threads; odd, so that pieces are left over.
std::vector<OpCase> large_cases() {
  std::vector<OpCase> cases;
  for (std::int64_t c : {1, 2, 3, 16, 70})  // among many values, one within rounding of 0 falls on the other side of the kink: no kink there
    cases.push_back({fmt::format("batch_norm of {} channels", c), {{{2, 11, 33, 35, c}, normal(2, 1)}, {{c}, normal(0.25, 1)}, {{c}}},
                     [c](const Inputs& v) {
                       const Shape shape{v[0].shape().back()};
                       ops::RunningStatistics running{Tensor::zeros(shape, v[0].value().dtype()), Tensor::full(shape, 1, v[0].value().dtype())};
                       return ops::batch_norm(v[0], v[1], v[2], running, {.slope = c < 16 ? 0.01 : 1});
                     }, 1e-7, 1e-4});
  cases.push_back({"group_norm", {{{3, 11, 33, 35, 12}, normal(2, 1)}, {{12}, normal(0.25, 1)}, {{12}}},
                   [](const Inputs& v) { return ops::group_norm(v[0], v[1], v[2], 4, {.slope = 0.1}); }, 1e-7, 1e-4});
  cases.push_back({"sum_axis", {{{50021, 3}}}, [](const Inputs& v) { return ops::sum_axis(v[0], 0); }, 1e-7, 1e-4});
  cases.push_back({"mean", {{{150001}}}, [](const Inputs& v) { return ops::mean(v[0]); }, 1e-7, 1e-3});
  for (std::int64_t c : {2, 3, 4, 5}) cases.push_back({fmt::format("log_softmax of {}", c), {{{20011, c}}}, [](const Inputs& v) { return ops::log_softmax(v[0]); }});
  cases.push_back({"max_pool", {{{2, 9, 51, 53, 7}, distinct(1e-3)}}, [](const Inputs& v) { return ops::max_pool(v[0], {{{1, 2, 2}}, {{2, 2, 2}}}); }});
  cases.push_back({"resize", {{{2, 5, 31, 33, 7}}}, [](const Inputs& v) { return ops::resize(v[0], {{{7, 60, 50}}}); }});
  cases.push_back({"dropout", {{{100003}}}, [](const Inputs& v) { return ops::dropout(v[0], 0.3, {1, 2, 3, 4}); }});
  cases.push_back({"concat", {{{20000, 5}}, {{20000, 3}}}, [](const Inputs& v) { return ops::concat(v, 1); }});
  cases.push_back({"conv", {{{1, 9, 25, 27, 16}}, {{16, 3, 3, 3, 16}, normal(0.1)}, {{16}}},
                   [](const Inputs& v) { return ops::conv(v[0], v[1], v[2], {{{1, 1, 1}}, {{1, 1, 1}}}); }, 1e-7, 1e-4});
  return cases;
}

TEST_F(Threads, NeverChangeABitOfLargeResults) {
  for (const OpCase& c : large_cases()) {
    const std::vector<Tensor> inputs = draw_inputs(c, Dtype::f32);
    engine::set_threads(1);
    const OpResult one = evaluate(c, inputs);
    for (int threads : {2, 8}) {
      engine::set_threads(threads);
      expect_identical(c, one, evaluate(c, inputs), fmt::format("{} threads", threads));
    }
  }
}

TEST(LargeResults, AgreeInBothPrecisions) {
  for (const OpCase& c : large_cases()) {
    if (c.name == "conv") continue;  // f64 is the slow definition; tests/ops/test_conv_cpu.cpp compares them
    const OpResult wide = evaluate(c, draw_inputs(c)), narrow = evaluate(c, draw_inputs(c, Dtype::f32));
    EXPECT_TRUE(close(narrow.value, wide.value, c.f32_tolerance)) << c.name;
    for (std::size_t k = 0; k < wide.gradients.size(); ++k)
      EXPECT_TRUE(close(narrow.gradients[k], wide.gradients[k], c.f32_tolerance)) << c.name << ", gradient " << k;
  }
}

}  // namespace
}  // namespace sagcl::tests
