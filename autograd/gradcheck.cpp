#include "autograd/gradcheck.h"

#include <algorithm>
#include <cmath>

#include "engine/random.h"

namespace sagcl::autograd {
namespace {

using engine::Dtype;

/// A fixed weight in [0.5, 1.5) for each output element.
Tensor weights_like(const Tensor& y) {
  engine::Generator random(0, "gradcheck");
  std::vector<double> w(std::size_t(y.size()));
  for (double& v : w) v = 0.5 + random.uniform();
  return Tensor::of(y.shape(), w, y.device());
}

double weighted(const Tensor& y, const Tensor& w) {
  const std::vector<double> a = y.to_doubles(), b = w.to_doubles();
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

std::vector<Variable> constants(const std::vector<Tensor>& inputs) {
  std::vector<Variable> v;
  for (const Tensor& t : inputs) v.emplace_back(t);
  return v;
}

using Line = std::function<double(double x)>;

/// The slope at x by five points: the error falls with h^4.
double five_points(const Line& f, double x, double h) {
  return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h);
}

/// Whether `slope` is right for smaller steps, or lies between the slopes of the two sides of x, up to `error`.
bool is_kink(const Line& f, double x, double h, double slope, double error) {
  const double here = f(x);
  for (int halved = 0; halved < 10; ++halved) {
    h /= 2;
    const double rounding = 1e-15 * std::max(1.0, std::abs(here)) / h;
    if (std::abs(five_points(f, x, h) - slope) <= error + rounding) return true;
  }
  // three points to a side: the error falls with h^2
  const double right = (-3 * here + 4 * f(x + h) - f(x + 2 * h)) / (2 * h),
               left = (3 * here - 4 * f(x - h) + f(x - 2 * h)) / (2 * h);
  const double low = std::min(left, right), high = std::max(left, right);
  return high - low > 10 * error && slope >= low - error && slope <= high + error;
}

}  // namespace

std::string GradcheckResult::text() const {
  return fmt::format(
      "{}: worst relative error {:.3g} at input {} element {} (at {:.4g}): analytic {:.12g}, numeric {:.12g}{}",
      passed ? "passed" : "FAILED", worst, input, element, at, analytic, numeric,
      kinks == 0 ? "" : fmt::format("; {} of {} elements lie at kinks", kinks, elements));
}

GradcheckResult gradcheck(const std::function<Variable(const std::vector<Variable>&)>& f, const std::vector<Tensor>& inputs,
                          const GradcheckOptions& options) {
  std::vector<Variable> parameters;
  for (const Tensor& t : inputs) {
    engine::require<engine::DtypeError>(t.dtype() == Dtype::f64, "gradcheck needs f64 inputs, got {} of shape {}", t.dtype(),
                                        t.shape());
    parameters.push_back(Variable::parameter(t.clone()));
  }
  Tensor w;
  {
    Tape tape;
    const Variable y = f(parameters);
    w = weights_like(y.value());
    tape.backward(y, w.clone());
  }

  GradcheckResult result;
  std::vector<Tensor> probe;
  for (const Tensor& t : inputs) probe.push_back(t.clone());
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    const std::vector<double> analytic = parameters[k].has_grad() ? parameters[k].grad().to_doubles()
                                                                  : std::vector<double>(std::size_t(inputs[k].size()), 0.0);
    const std::vector<double> at = inputs[k].to_doubles();
    double scale = 1e-3;
    for (double g : analytic)
      if (std::isfinite(g)) scale = std::max(scale, std::abs(g));
    const std::int64_t n = inputs[k].size(), probes = std::min(n, options.most_elements);
    for (std::int64_t j = 0; j < probes; ++j) {
      const std::size_t e = std::size_t(j * n / probes);
      const auto value_at = [&](double x) {
        std::vector<double> moved = at;
        moved[e] = x;
        probe[k].copy_from(Tensor::of(inputs[k].shape(), moved));
        return weighted(f(constants(probe)).value(), w);
      };
      const double step = options.step * std::max(1.0, std::abs(at[e]));
      double numeric = five_points(value_at, at[e], step), error = std::abs(analytic[e] - numeric) / scale;
      if (!(error <= options.tolerance) && is_kink(value_at, at[e], step, analytic[e], options.tolerance * scale))
        ++result.kinks, numeric = analytic[e], error = 0;
      if (!std::isfinite(error)) error = std::numeric_limits<double>::infinity();  // a NaN must not be forgotten
      ++result.elements;
      if (error > result.worst) {
        result.worst = error, result.input = int(k), result.element = std::int64_t(e), result.at = at[e];
        result.analytic = analytic[e], result.numeric = numeric;
      }
    }
    probe[k].copy_from(inputs[k]);
  }
  result.passed = result.worst <= options.tolerance;
  return result;
}

}  // namespace sagcl::autograd
