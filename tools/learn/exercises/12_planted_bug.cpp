// Exercise 12. What is asked for stands in exercises.h; the lesson is docs/learn/12-finding-a-planted-bug.md.
#include "tools/learn/exercises/exercises.h"

namespace sagcl::exercises {

std::optional<std::string> guilty(const std::vector<Suspect>& /*operations*/, const Numbers& /*x*/) {
  // your turn
  return {};
}

}  // namespace sagcl::exercises
