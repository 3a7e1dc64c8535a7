
#include <algorithm>
#include <chrono>
#include <cmath>

#include "engine/devices/device_registry.h"
#include "engine/random.h"
#include "semiagcl/evaluation/metrics.h"
#include "tools/bench/bench.h"

namespace sagcl::tools {

using autograd::Variable;
using engine::Tensor;

double median(const std::vector<double>& values) { return semiagcl::percentile(values, 50); }

double seconds_of(const std::function<void()>& f) {
  const auto begin = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

namespace {

Tensor random_values(const engine::Shape& shape, engine::Generator& random, engine::Device device) {
  Tensor t = Tensor::empty(shape);
  for (std::int64_t i = 0; i < t.size(); ++i) t.data<float>()[i] = float(random.uniform(-1, 1));
  return t.to(device);
}

/// Median of at least 3 repetitions that fill `seconds`, after one that is not counted.
double repeated(double seconds, const std::function<void()>& f) {
  f();
  std::vector<double> times;
  for (double sum = 0; times.size() < 3 || (sum < seconds && times.size() < 1000);)
    times.push_back(seconds_of(f)), sum += times.back();
  return median(times);
}

}  // namespace

CaseTiming time_case(const BenchCase& c, double seconds, engine::Device device) {
  engine::Generator random(0, c.name);
  std::vector<Variable> inputs;
  for (const engine::Shape& s : c.inputs) inputs.push_back(Variable::parameter(random_values(s, random, device)));
  const auto wait = [&] { engine::runtime(device).synchronize(); };
  CaseTiming t{.name = c.name, .flops = c.flops};
  t.forward = repeated(seconds / 2, [&] { c.f(inputs), wait(); });
  const Tensor dy = random_values(c.f(inputs).shape(), random, device);
  t.both = repeated(seconds / 2, [&] {
    autograd::Tape tape;
    tape.backward(c.f(inputs), dy.clone());
    for (Variable& v : inputs) v.clear_grad();
    wait();
  });
  return t;
}

std::vector<double> errors_of(const BenchCase& c, engine::Device device) {
  const auto results = [&](engine::Dtype dtype) {
    engine::Generator random(0, c.name);
    std::vector<Variable> inputs;
    for (const engine::Shape& s : c.inputs)
      inputs.push_back(Variable::parameter(random_values(s, random, device).to(dtype)));
    autograd::Tape tape;
    const Variable y = c.f(inputs);
    std::vector<std::vector<double>> all = {y.value().to_doubles()};
    tape.backward(y, random_values(y.shape(), random, device).to(dtype));
    for (const Variable& v : inputs) all.push_back(v.grad().to_doubles());
    return all;
  };
  const auto short_ones = results(engine::Dtype::f32), long_ones = results(engine::Dtype::f64);
  std::vector<double> errors;
  for (std::size_t k = 0; k < long_ones.size(); ++k) {
    double difference = 0, size = 0;
    for (std::size_t i = 0; i < long_ones[k].size(); ++i) {
      const double d = short_ones[k][i] - long_ones[k][i];
      difference += d * d, size += long_ones[k][i] * long_ones[k][i];
    }
    errors.push_back(std::sqrt(difference / size));
  }
  return errors;
}

}  // namespace sagcl::tools
