#include <algorithm>

#include <gtest/gtest.h>

#include "engine/parallel.h"
#include "ops/cpu/kernels.h"
#include "tests/cases/kernel_cases.h"
#include "tests/cases/op_cases.h"
#include "tests/support/golden.h"

namespace sagcl::tests {
namespace {

/// The value and the gradients, bit for bit.
void expect_identical(const OpCase& c, const OpResult& a, const OpResult& b, const std::string& what) {
  EXPECT_TRUE(identical(a.value, b.value)) << c.name << ", " << what;
  for (std::size_t k = 0; k < a.gradients.size(); ++k)
    EXPECT_TRUE(identical(a.gradients[k], b.gradients[k])) << c.name << ", " << what << ", gradient " << k;
}

/// The value and the gradients, up to rounding.
void expect_close(const OpCase& c, const OpResult& a, const OpResult& b, const std::string& what) {
  EXPECT_TRUE(close(a.value, b.value, c.f32_tolerance)) << c.name << ", " << what;
  for (std::size_t k = 0; k < a.gradients.size(); ++k)
    EXPECT_TRUE(close(a.gradients[k], b.gradients[k], c.f32_tolerance)) << c.name << ", " << what << ", gradient " << k;
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
    expect_close(c, evaluate(c, draw_inputs(c, Dtype::f32)), evaluate(c, draw_inputs(c)), "f32 against f64");
  }
}

/// Every table of kernels that this processor can run, forced in turn. The first is the one it uses unasked.
class InstructionSets : public testing::Test {
 protected:
  void SetUp() override {
    if (tables_.size() == 1) GTEST_SKIP() << "the processor can run the baseline kernels alone";
  }
  void TearDown() override { ops::cpu::use_kernels(tables_[0]); }

  /// check(one, other, name of other) for f's result with the first table and with each other one.
  template <class F, class Check>
  void compare(F f, Check check) {
    ops::cpu::use_kernels(tables_[0]);
    const auto one = f();
    for (std::size_t t = 1; t < tables_.size(); ++t) {
      ops::cpu::use_kernels(tables_[t]);
      check(one, f(), tables_[t]);
    }
  }
  const std::vector<std::string> tables_ = ops::cpu::available_kernels();
};

bool begins_with_one_of(const std::string& name, const std::vector<std::string>& beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(), [&](const std::string& b) { return name.starts_with(b); });
}

// The exceptions, in f32: the kernels of ops/cpu/isa contract where there are fused multiply-adds. Products sum in one order
// whatever the length of a vector, so that only the baseline differs; convolutions are cut up to suit each instruction set.
bool is_product(const OpCase& c) { return begins_with_one_of(c.name, {"matmul", "linear/", "nuclear_norm/polar"}); }
bool is_convolution(const OpCase& c) { return begins_with_one_of(c.name, {"conv", "batch_norm/then_conv"}); }

TEST_F(InstructionSets, NeverChangeABit) {
  std::vector<OpCase> cases = op_cases();
  cases.insert(cases.end(), large_cases().begin(), large_cases().end());
  for (const OpCase& c : cases) {
    if (c.f64_only) continue;
    const std::vector<Tensor> inputs = draw_inputs(c, Dtype::f32);
    compare([&] { return evaluate(c, inputs); },
            [&](const OpResult& one, const OpResult& other, const std::string& table) {
              if (is_convolution(c) || (is_product(c) && table == "baseline")) expect_close(c, other, one, table);
              else expect_identical(c, one, other, table);
            });
  }
}

TEST_F(InstructionSets, NeverChangeABitInDouble) {
  for (const OpCase& c : op_cases()) {
    const std::vector<Tensor> inputs = draw_inputs(c);
    compare([&] { return evaluate(c, inputs); }, [&](const OpResult& one, const OpResult& other,
                                                     const std::string& table) { expect_identical(c, one, other, table); });
  }
}

TEST_F(InstructionSets, NeverChangeABitOfChoicesKeysAndUpdates) {
  for (const KernelCase& c : kernel_cases())
    for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
      const std::vector<Tensor> inputs = c.inputs(dtype);
      compare([&] { return c.f(inputs); },
              [&](const std::vector<Tensor>& one, const std::vector<Tensor>& other, const std::string& table) {
                for (std::size_t k = 0; k < one.size(); ++k)
                  EXPECT_TRUE(identical(other[k], one[k])) << c.name << ", " << table << ", result " << k;
              });
    }
}

}  // namespace
}  // namespace sagcl::tests
