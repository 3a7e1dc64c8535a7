#include "engine/shape.h"

namespace sagcl::engine {

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (int a = 0; a < shape.rank(); ++a) text += fmt::format("{}{}", a ? ", " : "", shape[a]);
  return text + "]";
}

}  // namespace sagcl::engine
