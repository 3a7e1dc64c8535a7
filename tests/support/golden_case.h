#pragma once
#include <functional>

#include "autograd/tape.h"
#include "engine/extents.h"
#include "tests/support/golden.h"

namespace sagcl::tests {

struct Precision {
  engine::Dtype dtype;
  double tolerance;
};

/// Runs `f` on the inputs of a golden case (undefined where the case has none) in one precision, and compares its value
/// with case/y and, after a backward pass from case/dy, every input's gradient with case/d<input>.
inline void expect_golden(const Golden& golden, const std::string& name, const std::vector<std::string>& inputs,
                          const std::function<autograd::Variable(const std::vector<autograd::Variable>&)>& f,
                          const Precision& precision) {
  SCOPED_TRACE(name + " in " + to_string(precision.dtype));
  std::vector<autograd::Variable> v;
  for (const std::string& input : inputs)
    v.push_back(golden.has(name + "/" + input)
                    ? autograd::Variable::parameter(golden.get(name + "/" + input, precision.dtype))
                    : autograd::Variable());
  autograd::Tape tape;
  const autograd::Variable y = f(v);
  EXPECT_TRUE(close(y.value(), golden.get(name + "/y"), precision.tolerance)) << "y";
  tape.backward(y, golden.get(name + "/dy", precision.dtype).reshape(y.shape()));
  for (std::size_t k = 0; k < inputs.size(); ++k)
    if (v[k].defined()) {
      EXPECT_TRUE(close(v[k].grad(), golden.get(name + "/d" + inputs[k]), precision.tolerance)) << "d" << inputs[k];
    }
}

/// A three-element attribute, e.g. a stride.
inline engine::Extents extents(const Golden& golden, const std::string& name) {
  const std::vector<std::int64_t> v = golden.integers(name);
  return {{v[0], v[1], v[2]}};
}

}  // namespace sagcl::tests
