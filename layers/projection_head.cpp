#include "layers/projection_head.h"

#include "layers/init.h"
#include "ops/gather.h"
#include "ops/matmul.h"

namespace sagcl::layers {

Linear::Linear(std::int64_t in, std::int64_t out, engine::Generator& random)
    : w_(Variable::parameter(uniform_fan_in({out, in}, in, random))),
      b_(Variable::parameter(uniform_fan_in({out}, in, random))) {}

Variable Linear::forward(const Variable& x) const { return ops::linear(x, w_, b_); }

void Linear::describe(Parts& parts) {
  parts.parameter("w", w_);
  parts.parameter("b", b_);
}

Perceptron::Perceptron(std::int64_t in, std::int64_t hidden, std::int64_t out, engine::Generator& random, double slope)
    : first_(in, hidden, random), bn_(hidden, slope), second_(hidden, out, random) {}

Variable Perceptron::forward(const Variable& x, const Pass& pass) {
  return second_.forward(bn_.forward(first_.forward(x), pass));
}

void Perceptron::describe(Parts& parts) {
  parts.child("linear1", first_);
  parts.child("bn", bn_);
  parts.child("linear2", second_);
}

ProjectionHead::ProjectionHead(std::int64_t in, std::int64_t hidden, std::int64_t out, engine::Generator& random)
    : layers_(in, hidden, out, random) {}

Variable ProjectionHead::forward(const Variable& x, const Pass& pass) {
  return ops::l2_normalise(layers_.forward(x, pass), 1e-8);
}

void ProjectionHead::describe(Parts& parts) { layers_.describe(parts); }

}  // namespace sagcl::layers
