#include "tests/cases/op_cases.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace sagcl::tests {

namespace {
double as_float(double v) { return double(float(v)); }
}  // namespace

Draw normal(double scale, double offset) {
  return [=](const Shape& shape, engine::Generator& random) {
    std::vector<double> values(std::size_t(shape.size()));
    for (double& v : values) v = as_float(offset + scale * random.normal());
    return values;
  };
}

Draw uniform(double low, double high) {
  return [=](const Shape& shape, engine::Generator& random) {
    std::vector<double> values(std::size_t(shape.size()));
    for (double& v : values) v = as_float(random.uniform(low, high));
    return values;
  };
}

Draw distinct(double gap) {
  return [=](const Shape& shape, engine::Generator& random) {
    const std::int64_t n = shape.size(), middle = n / 2;
    std::vector<double> values;
    for (std::int64_t place : random.permutation(n)) values.push_back(as_float((double(place - middle) + 0.5) * gap));
    return values;
  };
}

Draw probabilities() {
  return [](const Shape& shape, engine::Generator& random) {
    const std::size_t columns = std::size_t(shape.back());
    std::vector<double> values(std::size_t(shape.size()));
    for (double& v : values) v = random.uniform(0.1, 1.0);
    for (std::size_t row = 0; row < values.size(); row += columns) {
      double sum = 0;
      for (std::size_t c = 0; c < columns; ++c) sum += values[row + c];
      for (std::size_t c = 0; c < columns; ++c) values[row + c] = as_float(values[row + c] / sum);
    }
    return values;
  };
}

std::vector<Tensor> draw_inputs(const OpCase& c, Dtype dtype, Device device) {
  std::vector<Tensor> inputs;
  for (std::size_t k = 0; k < c.inputs.size(); ++k) {
    engine::Generator random(k, c.name);
    inputs.push_back(Tensor::of(c.inputs[k].shape, c.inputs[k].draw(c.inputs[k].shape, random)).to(dtype).to(device));
  }
  return inputs;
}

OpResult evaluate(const OpCase& c, const std::vector<Tensor>& inputs) { return evaluate(c, inputs, Dtype::f64); }

OpResult evaluate(const OpCase& c, const std::vector<Tensor>& inputs, Dtype dy_rounded_to) {
  std::vector<Variable> parameters;
  for (const Tensor& t : inputs) parameters.push_back(Variable::parameter(t));
  OpResult result;
  {
    autograd::Tape tape;
    const Variable y = c.f(parameters);
    result.value = y.value();
    engine::Generator random(0, "dy");
    std::vector<double> dy(std::size_t(y.value().size()));
    for (double& v : dy) v = as_float(0.5 + random.uniform());
    tape.backward(y, Tensor::of(y.shape(), dy).to(dy_rounded_to).to(y.value().dtype()).to(y.value().device()));
  }
  for (const Variable& p : parameters) result.gradients.push_back(p.has_grad() ? p.grad() : Tensor::zeros_like(p.value()));
  return result;
}

std::size_t activations_of(const OpCase& c) {
  static const std::map<std::string, std::size_t> families{{"add", 2},
                                                           {"relu", 1},
                                                           {"leaky_relu", 1},
                                                           {"dropout", 1},
                                                           {"channel_dropout", 1},
                                                           {"conv", 1},
                                                           {"conv_transposed", 1},
                                                           {"batch_norm", 1},
                                                           {"instance_norm", 1},
                                                           {"group_norm", 1},
                                                           {"max_pool", 1},
                                                           {"average_pool", 1},
                                                           {"resize", 1},
                                                           {"concat", 3}};
  if (c.name == "batch_norm/then_conv") return 0;  // two operations, which round in between
  const auto found = families.find(c.name.substr(0, c.name.find('/')));
  return found == families.end() ? 0 : std::min(found->second, c.inputs.size());
}

Tensor labels_like(const Tensor& like, const Shape& shape, const std::vector<std::int32_t>& values) {
  return Tensor::of(shape, values, like.device());
}

Tensor constant_like(const Tensor& like, const Shape& shape, const std::vector<double>& values) {
  return Tensor::of(shape, values).to(computed_in(like.dtype())).to(like.device());
}

const std::vector<OpCase>& op_cases() {
  static const std::vector<OpCase> all = [] {
    std::vector<OpCase> cases;
    add_image_cases(cases);
    add_vector_cases(cases);
    return cases;
  }();
  return all;
}

const std::vector<OpCase>& large_cases() {
  static const std::vector<OpCase> all = [] {
    std::vector<OpCase> cases;
    add_large_cases(cases);
    return cases;
  }();
  return all;
}

}  // namespace sagcl::tests
