// Exercise 5. What is asked for stands in exercises.h; the lesson is docs/learn/05-layer-and-optimiser.md.
#include "tools/learn/exercises/exercises.h"

namespace sagcl::exercises {

double adam_step(AdamState& /*state*/, double p, double /*g*/, double /*lr*/) {
  // your turn
  return p;
}

}  // namespace sagcl::exercises
