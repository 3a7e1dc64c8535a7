#include "engine/place.h"

namespace sagcl::engine {

std::string to_string(Dtype d) {
  switch (d) {
    case Dtype::f32: return "f32";
    case Dtype::f64: return "f64";
    case Dtype::i32: return "i32";
    default: return "u8";
  }
}

std::string to_string(Device d) { return d.is_cpu() ? "cpu" : fmt::format("cuda:{}", d.index); }

}  // namespace sagcl::engine
