#include "layers/init.h"

#include <cmath>

namespace sagcl::layers {

Tensor uniform_fan_in(const engine::Shape& shape, std::int64_t fan_in, engine::Generator& random) {
  const double bound = 1 / std::sqrt(double(fan_in));
  std::vector<float> values(std::size_t(shape.size()));
  for (float& v : values) v = float(random.uniform(-bound, bound));
  return Tensor::of(shape, values);
}

}  // namespace sagcl::layers
