#include "tools/inspect/bits.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "datasets/text.h"
#include "engine/parallel.h"
#include "semiagcl/training/tensor_hashes.h"
#include "tools/programs/json_text.h"

namespace sagcl::tools {
namespace {

using engine::Tensor;

/// Hashes of everything in the first pass; in the second the first tensor that has another.
class Bits final : public autograd::Observer {
 public:
  void after_forward(const Step& step, const Tensor& y) override { look(step, "the result of ", y); }
  void after_backward(const Step& step, const autograd::Gradients& gradients) override {
    for (const Tensor& g : gradients)
      if (g.defined()) look(step, "a gradient by ", g);
  }
  void again() { second_ = true, next_ = 0; }
  std::string where;
  std::int64_t operations() const { return std::int64_t(hashes_.size()); }

 private:
  void look(const Step& step, const char* what, const Tensor& t) {
    const std::string hash = semiagcl::hash_of(t);
    if (!second_) return hashes_.push_back(hash);
    if (where.empty() && (next_ == hashes_.size() || hashes_[next_] != hash))
      where = fmt::format("{}{}{} (record {}, {}), {}", what, step.op, step.scope.empty() ? "" : " in " + step.scope,
                          step.record, step.where, t.shape());
    ++next_;
  }
  std::vector<std::string> hashes_;
  std::size_t next_ = 0;
  bool second_ = false;
};

}  // namespace

BitDifference compare_bits(const std::function<void(autograd::Observer&)>& step, int threads) {
  const int before = engine::threads();
  Bits bits;
  engine::set_threads(1);
  step(bits);
  bits.again();
  engine::set_threads(threads);
  step(bits);
  engine::set_threads(before);
  return {bits.where.empty(), bits.operations(), bits.where};
}

std::string bits_text(const BitDifference& found, int threads) {
  if (found.equal)
    return fmt::format("The same bits with 1 thread and with {}: {} results and gradients.\n", threads, found.operations);
  return fmt::format("The first other bits, with {} instead of 1: {}.\n", datasets::counted(threads, "thread"), found.where);
}

std::string bits_json(const BitDifference& found, int threads) {
  return json_text(nlohmann::ordered_json{{"schema_version", 1},
                                          {"threads", {1, threads}},
                                          {"equal", found.equal},
                                          {"tensors", found.operations},
                                          {"first", found.where}},
                   1) +
         "\n";
}

}  // namespace sagcl::tools
