#include <cmath>

#include "layers/optimiser.h"
#include "ops/arithmetic.h"
#include "tools/learn/exercises/exercises.h"

using namespace sagcl;
using autograd::Variable;

int main() try {
  exercises::AdamState state;
  double ours = 1;
  Variable theirs = Variable::parameter(engine::Tensor::full({1}, ours, engine::Dtype::f64));
  layers::Adam adam({{"p", &theirs}});
  learn::Claims claims;
  for (double g : {3.0, -1.0, 0.5, 0.0}) {
    ours = exercises::adam_step(state, ours, g, 0.1);
    if (state.t == 0) return exercises::unfinished("05_adam.cpp", "write the step of Adam");
    {
      autograd::Tape tape;
      tape.backward(ops::scale(theirs, g));
    }
    adam.step(0.1);
    claims.check(std::abs(ours - theirs.value().item()) < 1e-12, "gradient {:4}: yours {:.9f}, the engine's {:.9f}", g, ours,
                 theirs.value().item());
  }
  return claims.exit_code();
} catch (const std::exception& e) { return exercises::threw(e); }
