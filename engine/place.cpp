#include "engine/place.h"

namespace sagcl::engine {

std::string to_string(Dtype d) {
  switch (d) {
    case Dtype::f32: return "f32";
    case Dtype::f64: return "f64";
    case Dtype::bf16: return "bf16";
    case Dtype::i32: return "i32";
    case Dtype::u8: return "u8";
  }
  return "no dtype";
}

std::string to_string(Device d) { return d.is_cpu() ? "cpu" : fmt::format("cuda:{}", d.index); }

}  // namespace sagcl::engine
