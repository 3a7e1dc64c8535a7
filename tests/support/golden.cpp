#include "tests/support/golden.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <set>

#include "engine/random.h"

namespace sagcl::tests {

std::filesystem::path golden_folder() {
  const char* chosen = std::getenv("SAGCL_GOLDEN");
  return chosen && *chosen ? chosen : SAGCL_SOURCE_DIR "/tests/golden";
}

Golden::Golden(const std::string& name)
    : name_(name), file_(engine::read_safetensors(golden_folder() / (name + ".safetensors"))) {}

std::vector<std::string> Golden::cases() const {
  std::set<std::string> names;
  for (const auto& [name, t] : file_.tensors) names.insert(name.substr(0, name.find('/')));
  return {names.begin(), names.end()};
}

const Tensor& Golden::get(const std::string& name) const {
  auto found = file_.tensors.find(name);
  engine::require<engine::DataError>(found != file_.tensors.end(), "{}.safetensors holds no {}", name_, name);
  return found->second;
}

Tensor Golden::get(const std::string& name, engine::Dtype dtype) const { return get(name).to(dtype); }
double Golden::number(const std::string& name) const { return get(name).item(); }

std::vector<std::int64_t> Golden::integers(const std::string& name) const {
  std::vector<std::int64_t> values;
  for (double v : get(name).to_doubles()) values.push_back(std::int64_t(v));
  return values;
}

double relative_difference(const Tensor& a, const Tensor& b) {
  const std::vector<double> x = a.to_doubles(), y = b.to_doubles();
  if (x.size() != y.size()) return INFINITY;
  double difference = 0, scale = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double d = std::abs(x[i] - y[i]);
    if (!(d <= difference)) difference = d;
    scale = std::max(scale, std::abs(y[i]));
  }
  return scale > 0 ? difference / scale : difference;
}

testing::AssertionResult close(const Tensor& actual, const Tensor& expected, double tolerance) {
  if (actual.size() != expected.size())
    return testing::AssertionFailure() << "shape " << to_string(actual.shape()) << " against "
                                       << to_string(expected.shape());
  const double difference = relative_difference(actual, expected);
  if (difference <= tolerance) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "relative difference " << difference << " > " << tolerance << "\n  actual   "
                                     << to_string(actual) << "\n  expected " << to_string(expected);
}

testing::AssertionResult identical(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return testing::AssertionFailure() << "different shape or dtype";
  const Tensor x = a.to(engine::Device::cpu()), y = b.to(engine::Device::cpu());
  if (std::memcmp(x.bytes_begin(), y.bytes_begin(), x.bytes()) == 0) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "bits differ; relative difference " << relative_difference(x, y);
}

Tensor random_tensor(const engine::Shape& shape, std::uint64_t seed, engine::Dtype dtype, double scale, double offset) {
  engine::Generator random(seed, "test data");
  std::vector<double> values(std::size_t(shape.size()));
  for (double& v : values) v = float(offset + scale * random.normal());
  return Tensor::of(shape, values).to(dtype);
}

}  // namespace sagcl::tests
