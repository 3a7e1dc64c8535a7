// Exercise 7. What is asked for stands in exercises.h; the lesson is docs/learn/07-unet-on-phantoms.md.
#include "tools/learn/exercises/exercises.h"

namespace sagcl::exercises {

Numbers dice_gradient(const Numbers& /*p*/, const Numbers& /*y*/) {
  // your turn
  return {};
}

}  // namespace sagcl::exercises
