#include "tests/layers/network_golden.h"

#include <algorithm>
#include <cmath>

#include "engine/philox.h"

namespace sagcl::tests {

void apply_recipe(layers::Module& net, const Golden& golden) {
  const std::vector<std::int64_t> key = golden.integers("attr.key");
  const std::uint32_t which = std::uint32_t(golden.number("attr.case"));
  const std::vector<double> offset = golden.get("init.offset").to_doubles(), scale = golden.get("init.scale").to_doubles();
  std::uint32_t p = 0;
  for (auto& [name, parameter] : layers::parameters_in_order(net)) {
    std::vector<double> values(std::size_t(parameter->value().size()));
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::uint32_t word =
          engine::philox({{std::uint32_t(i / 4), p, 1, which}}, std::uint32_t(key[0]), std::uint32_t(key[1])).w[i % 4];
      values[i] = float(offset[p] + scale[p] * (2 * double(engine::unit(word)) - 1));
    }
    parameter->value_for_update().copy_from(Tensor::of(parameter->shape(), values).to(parameter->value().dtype()));
    ++p;
  }
}

namespace {

std::vector<double> fingerprint(const std::vector<double>& values) {
  std::vector<double> fp(11, 0.0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint32_t word = engine::philox({{std::uint32_t(i / 4), 0, 0, 0}}, 0x474F4C44u, 0x50524F4Au).w[i % 4];
    fp[0] += values[i], fp[1] += values[i] * values[i], fp[2] = std::max(fp[2], std::abs(values[i]));
    for (int k = 0; k < 8; ++k) fp[std::size_t(3 + k)] += word >> k & 1 ? values[i] : -values[i];
  }
  fp[1] = std::sqrt(fp[1]);
  return fp;
}

}  // namespace

testing::AssertionResult fingerprints_match(const std::vector<Tensor>& tensors, const Tensor& expected, double tolerance,
                                            bool scale_all, const std::vector<std::int64_t>& skip) {
  if (expected.shape()[0] != std::int64_t(tensors.size()))
    return testing::AssertionFailure() << tensors.size() << " tensors, " << expected.shape()[0] << " fingerprints";
  const std::vector<double> all = expected.to_doubles();
  double whole = 0;
  for (std::size_t r = 0; r < tensors.size(); ++r) whole += all[r * 11 + 1] * all[r * 11 + 1];
  whole = std::sqrt(whole);
  double worst = 0;
  std::size_t worst_row = 0;
  for (std::size_t r = 0; r < tensors.size(); ++r) {
    if (std::find(skip.begin(), skip.end(), std::int64_t(r)) != skip.end()) continue;
    const std::vector<double> fp = fingerprint(tensors[r].to_doubles());
    double rms = 0;
    for (std::size_t k = 3; k < 11; ++k) rms += std::pow(fp[k] - all[r * 11 + k], 2) / 8;
    const double error = std::sqrt(rms) / (scale_all ? whole : all[r * 11 + 1]);
    if (!(error <= worst)) worst = error, worst_row = r;
  }
  if (worst <= tolerance) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "row " << worst_row << ": error " << worst << " > " << tolerance;
}

}  // namespace sagcl::tests
