#include "semiagcl/training/non_finite.h"

#include <cmath>

#include "autograd/tape.h"

namespace sagcl::semiagcl {
namespace {

/// Remembers the first recorded operation whose result is not finite.
class FirstNonFinite final : public autograd::Observer {
 public:
  void after_forward(const Step& step, const engine::Tensor& y) override {
    if (!found.empty() || y.dtype() == engine::Dtype::i32 || y.dtype() == engine::Dtype::u8) return;
    std::int64_t bad = 0, first = -1, i = 0;
    for (double v : y.to_doubles()) {
      if (!std::isfinite(v) && bad++ == 0) first = i;
      ++i;
    }
    if (bad == 0) return;
    found =
        fmt::format("operation {} (record {}{}{}) gave {} NaN or infinite of {} values, the first at element {} of {}",
                    step.op, step.record, step.scope.empty() ? "" : ", in ", step.scope, bad, y.size(), first, y.shape());
  }
  std::string found;
};

}  // namespace

void explain_non_finite(const NonFiniteSearch& search, const std::function<void(std::vector<Term>& terms)>& loss) {
  FirstNonFinite observer;
  std::vector<Term> terms;
  try {
    autograd::Tape tape({.observer = &observer});
    loss(terms);
  } catch (const engine::Error&) {
    // Nothing found: not a matter of finite values, and the caller's error stands.
  }
  if (!search.certain && observer.found.empty()) return;
  std::string values, cases;
  for (const Term& term : terms) values += fmt::format(" {} = {}", term.name, term.value.value().item());
  for (const std::string& id : search.batch.ids) cases += " " + id;
  engine::fail<engine::NonFiniteError>(
      "step {}: the loss is not finite ({}); {}; cases of the batch:{}. The last checkpoint is untouched. "
      "Try a smaller train.learning_rate, or or check that the intensities of these cases are finite",
      search.step, values.empty() ? "" : values.substr(1),
      !observer.found.empty() ? observer.found
      : search.replayed       ? "the step is finite when it is not replayed: go on with train.replay = false"
                              : "no single operation could be named",
      cases);
}

}  // namespace sagcl::semiagcl
