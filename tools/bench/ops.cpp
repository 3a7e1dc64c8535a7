
#include <algorithm>
#include <chrono>

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

}  // namespace sagcl::tools
