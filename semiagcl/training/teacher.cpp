#include "semiagcl/training/teacher.h"

#include <algorithm>
#include <vector>

#include "ops/updates.h"

namespace sagcl::semiagcl {

using engine::require;
using engine::UsageError;

double ema_alpha(std::int64_t step, double decay) { return std::min(1 - 1 / (double(step) + 1), decay); }

namespace {

/// Matches two name -> part maps; `tensor` makes an updatable tensor of a part.
template <class Part, class F>
std::vector<std::pair<Tensor, Tensor>> pairs_of(const std::map<std::string, Part*>& teacher,
                                                const std::map<std::string, Part*>& student, F&& tensor) {
  std::vector<std::pair<Tensor, Tensor>> pairs;
  require<UsageError>(teacher.size() == student.size(), "update_teacher: the teacher has {} parts, the student {}",
                      teacher.size(), student.size());
  for (const auto& [name, t] : teacher) {
    auto s = student.find(name);
    require<UsageError>(s != student.end(), "update_teacher: the student has no {}", name);
    const auto pair = std::pair{tensor(t), tensor(s->second)};
    require<UsageError>(pair.first.shape() == pair.second.shape(),
                        "update_teacher: {} is {} in the teacher, {} in the student", name, pair.first.shape(),
                        pair.second.shape());
    pairs.push_back(pair);
  }
  return pairs;
}

}  // namespace

void update_teacher(layers::Module& teacher, layers::Module& student, const Tensor& alpha, const Tensor& gate,
                    Buffers buffers) {
  const auto average = [&](const Tensor& a, const std::vector<std::pair<Tensor, Tensor>>& pairs) {
    if (!pairs.empty()) ops::average(a, gate, pairs);
  };
  // Departs from the paper: it does not say how the teacher follows. Exponential moving average with α = 0.999, the first
  // of section IV-B's four unnamed numbers.
  average(alpha, pairs_of(layers::parameters_of(teacher), layers::parameters_of(student),
                          [](Variable* v) { return v->value_for_update(); }));
  if (buffers == Buffers::own) return;
  average(buffers == Buffers::copied ? Tensor::zeros_like(alpha) : alpha,
          pairs_of(layers::buffers_of(teacher), layers::buffers_of(student), [](Tensor* t) { return *t; }));
}

}  // namespace sagcl::semiagcl
