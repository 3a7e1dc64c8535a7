#include "semiagcl/training/non_finite.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "autograd/tape.h"
#include "semiagcl/training/tensor_statistics.h"

namespace sagcl::semiagcl {
namespace {

using engine::Tensor;

/// What usually makes an operation give such values, and what helps.
std::string usual_cause(const std::string& op) {
  static const std::map<std::string, std::string> causes = {
      {"log", "the logarithm of 0 or of a negative number: keep its input above 0, e.g. by adding 1e-8"},
      {"sqrt", "the root of a negative number, or its derivative at 0, which is infinite: add 1e-8 under the root"},
      {"divide", "a division by 0: add 1e-8 to the divisor"},
      {"l2_normalise", "a feature vector of norm 0, which has no direction: look why its features vanish"},
      {"exp", "an overflow: subtract the largest value first"},
      {"conv",
       "weights or inputs that are not finite already, or so large that sums overflow: a smaller train.learning_rate"},
  };
  const auto found = causes.find(op);
  return found == causes.end() ? "" : "; the usual cause is " + found->second;
}

bool counts(const Tensor& t) { return t.defined() && t.dtype() != engine::Dtype::i32 && t.dtype() != engine::Dtype::u8; }

/// "[2, 8] from -1.5 to 3 (4 zeros)".
std::string text_of(const Tensor& t) {
  const TensorStatistics s = statistics_of(t);
  std::string text = fmt::format("{}", t.shape());
  if (s.low <= s.high) text += fmt::format(" from {:g} to {:g}", s.low, s.high);
  if (s.zeros > 0) text += fmt::format(" ({} zeros)", s.zeros);
  if (s.not_finite > 0) text += fmt::format(", {} of {} not finite", s.not_finite, t.size());
  return text;
}

/// Remembers the first operation with a result that is not finite, and the first whose gradient is though all was finite
/// before it.
class FirstNonFinite final : public autograd::Observer {
 public:
  explicit FirstNonFinite(const datasets::Batch& batch) : batch_(batch) {}

  void after_forward(const Step& step, const Tensor& y) override {
    if (!found.empty() || !counts(y)) return;
    const TensorStatistics s = statistics_of(y);
    if (s.not_finite == 0) return;
    std::string inputs;
    for (const Tensor& input : step.inputs)
      if (counts(input)) inputs += (inputs.empty() ? "" : ", ") + text_of(input);
    found = fmt::format("operation {} {} gave {} NaN or infinite of {} values, the first at {}; it was given {}{}", step.op,
                        place(step), s.not_finite, y.size(), element(y.shape(), s.first_not_finite), inputs,
                        usual_cause(step.op));
  }

  void before_backward(const Step&, const Tensor& dy) override {
    if (found.empty()) given_ = text_of(dy);
  }

  void after_backward(const Step& step, const autograd::Gradients& gradients) override {
    for (std::size_t i = 0; i < gradients.size() && found.empty(); ++i) {
      if (!counts(gradients[i])) continue;
      const TensorStatistics s = statistics_of(gradients[i]);
      if (s.not_finite == 0) continue;
      found = fmt::format(
          "the backward of {} {} gave input {} a gradient with {} NaN or infinite of {} values, the first at {}; it was "
          "given "
          "the gradient {}{}",
          step.op, place(step), i, s.not_finite, gradients[i].size(), element(gradients[i].shape(), s.first_not_finite),
          given_, usual_cause(step.op));
    }
  }

  std::string found;

 private:
  static std::string place(const Step& step) {
    return fmt::format("(record {}{}{}, {})", step.record, step.scope.empty() ? "" : ", in ", step.scope, step.where);
  }

  /// "element 17 of [2, 1, 4, 4, 8]: voxel (0, 0, 2) of the crop of case a". A result whose first extent is the batch's, or
  /// its labelled or unlabelled part's, is taken for one value per sample, and of five extents three for its voxels.
  std::string element(const engine::Shape& shape, std::int64_t first) const {
    std::string text = fmt::format("element {} of {}", first, shape);
    const std::int64_t all = std::int64_t(batch_.ids.size()), labelled = batch_.labelled;
    if (shape.rank() == 0 || (shape[0] != all && shape[0] != labelled && shape[0] != all - labelled)) return text;
    const std::int64_t of_sample = std::max<std::int64_t>(shape.size() / shape[0], 1);
    const std::int64_t sample = first / of_sample + (shape[0] == all || shape[0] == labelled ? 0 : labelled);
    text += ": ";
    if (shape.rank() == 5) {
      const std::int64_t voxel = first % of_sample / shape[4], row = voxel / shape[3];
      text += fmt::format("voxel ({}, {}, {}) of {}x{}x{} in the crop of ", row / shape[2], row % shape[2], voxel % shape[3],
                          shape[1], shape[2], shape[3]);
    }
    text += "case " + batch_.ids[std::size_t(sample)];
    if (shape[0] == labelled && labelled == all - labelled && labelled != all)
      text += fmt::format(", or {} if these are the unlabelled samples", batch_.ids[std::size_t(sample + labelled)]);
    return text;
  }

  const datasets::Batch& batch_;
  std::string given_;
};

}  // namespace

void explain_non_finite(const NonFiniteSearch& search, const std::function<Variable(std::vector<Term>& terms)>& loss) {
  FirstNonFinite observer(search.batch);
  std::vector<Term> terms;
  try {
    autograd::Tape tape({.observer = &observer});
    const Variable all = loss(terms);
    if (observer.found.empty()) tape.backward(all);
  } catch (const engine::Error&) {
    // Nothing found: not a matter of finite values, and the caller's error stands.
  }
  if (!search.certain && observer.found.empty()) return;
  std::string values, cases;
  bool finite = true;
  for (const Term& term : terms) {
    const double value = term.value.value().item();
    values += fmt::format(" {} = {}", term.name, value), finite = finite && std::isfinite(value);
  }
  for (const std::string& id : search.batch.ids) cases += " " + id;
  engine::fail<engine::NonFiniteError>(
      "step {}: {} not finite ({}); {}; cases of the batch:{}. The last checkpoint is untouched. "
      "Try a smaller train.learning_rate, or check that the intensities of these cases are finite",
      search.step, finite && !terms.empty() ? "the loss is finite and its gradient is" : "the loss is",
      values.empty() ? "" : values.substr(1),
      !observer.found.empty() ? observer.found
      : search.replayed       ? "the step is finite when it is not replayed: go on with train.replay = false"
                              : "no single operation could be named",
      cases);
}

}  // namespace sagcl::semiagcl
