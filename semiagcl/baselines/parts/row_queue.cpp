#include "semiagcl/baselines/parts/row_queue.h"

#include <algorithm>
#include <utility>

#include "engine/error.h"
#include "ops/layout.h"
#include "ops/selection.h"
#include "ops/updates.h"

namespace sagcl::semiagcl {

using autograd::Variable;
using engine::Dtype;

namespace {

/// [G, n, ..] before the first of old [G, size, ..].
Tensor before(const Tensor& rows, const Tensor& old) {
  const std::int64_t size = old.shape()[1], n = std::min(rows.shape()[1], size);
  return ops::concat({ops::slice(Variable(rows), 1, 0, n), ops::slice(Variable(old), 1, 0, size - n)}, 1).value();
}

}  // namespace

RowQueue::RowQueue(std::int64_t groups, std::int64_t size, std::int64_t dim, engine::Device device)
    : rows_(Tensor::zeros({groups, size, dim}, Dtype::f32, device)),
      filled_(Tensor::zeros({groups, size}, Dtype::f32, device)) {}

void RowQueue::push(const Tensor& rows, const Tensor& gate, const Tensor& takes) {
  const engine::Shape &own = rows_.shape(), &s = rows.shape();
  engine::require(s.rank() == 3 && s[0] == own[0] && s[2] == own[2], "RowQueue: rows {} for a queue {}", s, own);
  Tensor moved = before(rows, rows_), filled = before(Tensor::full({s[0], s[1]}, 1, Dtype::f32, rows.device()), filled_);
  if (takes.defined()) moved = ops::choose(takes, moved, rows_), filled = ops::choose(takes, filled, filled_);
  // An average that forgets the old copies, and looks at the gate.
  ops::average(Tensor::zeros({1}, Dtype::f64, rows.device()), gate, {{rows_, moved}, {filled_, filled}});
}

void RowQueue::load(const std::map<std::string, Tensor>& saved) {
  for (const auto& [name, part] : {std::pair{"rows", &rows_}, std::pair{"filled", &filled_}}) {
    const auto found = saved.find(name);
    engine::require<engine::DataError>(found != saved.end(), "RowQueue: the saved state has no {}", name);
    engine::require<engine::DataError>(found->second.shape() == part->shape(), "RowQueue: saved {} are {}, these are {}",
                                       name, found->second.shape(), part->shape());
    part->copy_from(found->second);
  }
}

}  // namespace sagcl::semiagcl
