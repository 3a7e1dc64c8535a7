#include <algorithm>
#include <cstring>

#include "engine/devices/precision.h"
#include "tests/cases/kernel_cases.h"
#include "tests/cases/op_cases.h"
#include "tests/gpu/gpu_check.h"

namespace sagcl::gpu {

using engine::Dtype;
using tests::OpCase;
using tests::OpResult;

namespace {

template <class F>
int for_each_case(const Options& options, const char* stage, F f) {
  int failures = 0, count = 0;
  for (const OpCase& c : tests::op_cases()) {
    if (!selected(options, c.name)) continue;
    ++count;
    try {
      failures += f(c);
    } catch (const std::exception& e) {
      report(options, stage, c.name, fmt::format("\"ok\": false, \"error\": \"{}\"", e.what()));
      ++failures;
    }
  }
  fmt::print("{}: {} cases, {} failed\n", stage, count, failures);
  return failures;
}

std::vector<Tensor> all_of(const OpResult& r) {
  std::vector<Tensor> all = r.gradients;
  all.insert(all.begin(), r.value);
  return all;
}

double worst_error(const OpResult& a, const OpResult& b) {
  const std::vector<Tensor> x = all_of(a), y = all_of(b);
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) worst = std::max(worst, relative_error(x[i], y[i]));
  return worst;
}

/// What is not differentiated: integers must be the same, values close, a second run equal bit for bit.
int kernel_parity(const Options& options) {
  int failures = 0;
  for (const tests::KernelCase& c : tests::kernel_cases()) {
    if (!selected(options, "choices/" + c.name)) continue;
    for (const Dtype dtype : {Dtype::f64, Dtype::f32}) {
      std::vector<Tensor> inputs;
      for (const Tensor& t : c.inputs(dtype)) inputs.push_back(t.to(options.device));
      const std::vector<Tensor> reference = c.f(c.inputs(dtype)), ours = c.f(inputs), again = c.f(inputs);
      double error = 0;
      bool equal = true;
      for (std::size_t i = 0; i < ours.size(); ++i) {
        const bool exact = ours[i].dtype() == Dtype::i32;
        equal = equal && ours[i].to_doubles() == again[i].to_doubles() &&
                (!exact || ours[i].to_doubles() == reference[i].to_doubles());
        if (!exact) error = std::max(error, relative_error(ours[i], reference[i]));
      }
      const double limit = dtype == Dtype::f64 ? 1e-12 : 1e-6;
      const bool ok = equal && error <= limit;
      failures += !ok;
      report(options, "parity", "choices/" + c.name,
             fmt::format("\"dtype\": \"{}\", \"error\": {:.1e}, \"limit\": {:.0e}, \"equal\": {}, \"ok\": {}", dtype, error,
                         limit, equal, ok));
    }
  }
  return failures;
}

/// Activations in bf16: the same operations as on the CPU, which widens, computes and rounds; here cuDNN's sums differ.
int bf16_parity(const Options& options) {
  return for_each_case(options, "bf16", [&](const OpCase& c) {
    const std::size_t activations = tests::activations_of(c);
    if (activations == 0) return 0;
    std::vector<Tensor> inputs = tests::draw_inputs(c, Dtype::f32);
    for (std::size_t k = 0; k < activations; ++k) inputs[k] = inputs[k].to(Dtype::bf16);
    const OpResult reference = tests::evaluate(c, inputs);
    for (Tensor& t : inputs) t = t.to(options.device);
    const double error = worst_error(tests::evaluate(c, inputs), reference), limit = 1e-2;
    report(options, "bf16", c.name,
           fmt::format("\"error\": {:.1e}, \"limit\": {:.0e}, \"ok\": {}", error, limit, error <= limit));
    return error <= limit ? 0 : 1;
  });
}

}  // namespace

int op_parity(const Options& options) {
  engine::set_precision(engine::Precision::fp32);
  return kernel_parity(options) + bf16_parity(options) + for_each_case(options, "parity", [&](const OpCase& c) {
           int bad = 0;
           for (const Dtype dtype : {Dtype::f64, Dtype::f32}) {
             if (dtype == Dtype::f32 && c.f64_only) continue;
             const OpResult reference = tests::evaluate(c, tests::draw_inputs(c, Dtype::f64));
             const OpResult ours = tests::evaluate(c, tests::draw_inputs(c, dtype, options.device));
             const double error = worst_error(ours, reference), limit = dtype == Dtype::f64 ? 1e-9 : c.f32_tolerance;
             const bool ok = error <= limit;
             bad += !ok;
             report(options, "parity", c.name,
                    fmt::format("\"dtype\": \"{}\", \"error\": {:.1e}, \"limit\": {:.0e}, \"ok\": {}", dtype, error, limit,
                                ok));
           }
           return bad;
         });
}

int op_repeat(const Options& options) {
  engine::set_precision(engine::Precision::fp32);
  return kernel_parity(options) + for_each_case(options, "repeat", [&](const OpCase& c) {
           const std::vector<Tensor> inputs = tests::draw_inputs(c, c.f64_only ? Dtype::f64 : Dtype::f32, options.device);
           const std::vector<Tensor> first = all_of(tests::evaluate(c, inputs)), second = all_of(tests::evaluate(c, inputs));
           int different = 0;
           for (std::size_t i = 0; i < first.size(); ++i) {
             const std::vector<double> a = first[i].to_doubles(), b = second[i].to_doubles();
             different += std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) != 0;
           }
           if (different) report(options, "repeat", c.name, "\"ok\": false");
           return different ? 1 : 0;
         });
}

}  // namespace sagcl::gpu
