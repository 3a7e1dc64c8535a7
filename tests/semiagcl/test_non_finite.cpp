#include "semiagcl/training/non_finite.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ops/arithmetic.h"
#include "ops/reduce.h"
#include "tests/semiagcl/small_training.h"

using namespace sagcl;
using autograd::Variable;
using engine::Tensor;
using semiagcl::StepInput;
using semiagcl::Term;

namespace {

std::string explained(const datasets::Batch& batch, const std::function<Variable(std::vector<Term>&)>& loss) {
  try {
    semiagcl::explain_non_finite({.step = 7, .batch = batch, .certain = true}, loss);
  } catch (const engine::NonFiniteError& e) { return e.what(); }
  return "nothing was thrown";
}

void expect_parts(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) EXPECT_NE(text.find(part), std::string::npos) << part << " is not in: " << text;
}

datasets::Batch batch_of(const std::vector<std::string>& ids) {
  datasets::Batch batch;
  batch.labelled = 1, batch.ids = ids;
  return batch;
}

}  // namespace

TEST(NonFinite, NamesOperationModuleLineVoxelAndCase) {
  const datasets::Batch batch = batch_of({"a", "b"});
  Variable x = Variable::parameter(Tensor::full({2, 1, 2, 3, 1}, 0.5));
  const std::string text = explained(batch, [&](std::vector<Term>& terms) {
    Tensor shifted = Tensor::full({2, 1, 2, 3, 1}, 0);
    shifted.data<float>()[6 + 4] = -0.5;  // sample b, row 1, column 1
    const autograd::Scope head("head");
    terms = {{"sup", ops::sum(ops::log(ops::add(x, Variable(shifted))))}};
    return terms[0].value;
  });
  expect_parts(
      text, {"step 7: the loss is not finite (sup = -inf)", "operation log", "in head",
             "ops/arithmetic.cpp:", "gave 1 NaN or infinite of 12 values", "voxel (0, 1, 1) of 1x2x3 in the crop of case b",
             "it was given [2, 1, 2, 3, 1] from 0 to 0.5 (1 zeros)", "the logarithm of 0", "cases of the batch: a b"});
}

TEST(NonFinite, NamesTheBackwardWhereOnlyTheGradientIsBad) {
  const datasets::Batch batch = batch_of({"a", "b"});
  Variable x = Variable::parameter(Tensor::zeros({3}));
  const std::string text = explained(batch, [&](std::vector<Term>& terms) {
    terms = {{"norm", ops::sqrt(ops::sum(ops::square(x)))}};
    return terms[0].value;
  });
  expect_parts(text, {"the loss is finite and its gradient is not finite (norm = 0)", "the backward of sqrt",
                      "it was given the gradient", "its derivative at 0"});
}

TEST(NonFinite, WhereAllIsFiniteNothingIsSaid) {
  const datasets::Batch batch = batch_of({"a", "b"});
  Variable x = Variable::parameter(Tensor::full({3}, 1));
  EXPECT_NO_THROW(semiagcl::explain_non_finite({.step = 1, .batch = batch}, [&](std::vector<Term>& terms) {
    terms = {{"sum", ops::sum(x)}};
    return terms[0].value;
  }));
}

/// A finite loss whose gradient is not would poison the weights; with the check on nothing moves and the step is explained.
TEST(NonFinite, TheCheckClosesTheGateAtABadGradient) {
  semiagcl::RunSettings s = tests::small_settings("supervised", true);
  s.debug.check = "finite";
  const semiagcl::TrainingData data = tests::small_data(true);
  engine::Generator random(1, "weights");
  const auto student = layers::make_segmenter("unet", {.in_channels = 1, .classes = 2, .width = 2}, random);
  semiagcl::Phase phase{.name = "planted", .steps = 8};
  phase.objective = [](StepInput& in) -> std::vector<Term> {
    return {{"root", ops::sqrt(ops::scale(ops::sum(in.forward(in.batch.weak).logits), 0))}};
  };
  semiagcl::TrainingStep step(s, *student, phase, {});
  datasets::Batch batch;
  batch.labelled = 1, batch.ids = {"a"}, batch.weak = Tensor::full({1, 1, 32, 32, 1}, 0.1f);
  step.prepare({.learning_rate = 0.1});
  step.take(batch);
  const auto before = layers::parameters_of(*student).begin()->second->value().to_doubles();
  step.differentiate(random);
  EXPECT_FALSE(step.gate_is_open());
  step.update(step.gradients(), {});
  EXPECT_EQ(layers::parameters_of(*student).begin()->second->value().to_doubles(), before);
  try {
    step.explain(batch, random, true);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const engine::NonFiniteError& e) {
    expect_parts(e.what(), {"the backward of sqrt", "its gradient is not finite"});
  }
}
