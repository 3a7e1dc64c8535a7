#pragma once
#include <functional>
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "engine/random.h"

/// Every operation described once, as a function of differentiable inputs. The list serves the gradient check, f32
/// against f64, equal bits on repetition and for any number of threads, memory back to baseline, backend parity and
/// benchmarks: a new operation adds a case here and gets all of them.
namespace sagcl::tests {

using autograd::Variable;
using engine::Device;
using engine::Dtype;
using engine::Shape;
using engine::Tensor;

/// How the elements of an input are drawn; the values are exact in float, so f32 and f64 start from the same numbers.
using Draw = std::function<std::vector<double>(const Shape& shape, engine::Generator& random)>;

Draw normal(double scale = 1, double offset = 0);  ///< N(offset, scale²)
Draw uniform(double low, double high);             ///< evenly in [low, high)
/// a shuffled ladder … -1.5 gap, -0.5 gap, 0.5 gap, …: no ties, no zero (maxima, kinks)
Draw distinct(double gap = 0.05);
Draw probabilities();  ///< rows over the last axis are positive and sum to about 1

struct OpInput {
  Shape shape;
  Draw draw = normal();
};

struct OpCase {
  std::string name;                                         ///< "conv/3x3x3", family first
  std::vector<OpInput> inputs;                              ///< all are differentiated
  std::function<Variable(const std::vector<Variable>&)> f;  ///< must follow the inputs' dtype and device
  double gradient_tolerance = 1e-7;                         ///< relative, of the f64 gradient check
  double f32_tolerance = 1e-5;                              ///< relative, f32 against f64, value and gradients
  bool f64_only = false;                                    ///< no f32 comparison (an ill-conditioned case)
  /// of the difference quotient; small where values lie near kinks
  double gradient_step = 1e-4;
};

/// The inputs of a case, always the same.
std::vector<Tensor> draw_inputs(const OpCase& c, Dtype dtype = Dtype::f64, Device device = Device::cpu());

/// The value of a case and the gradients of all its inputs for one fixed random dy.
struct OpResult {
  Tensor value;
  std::vector<Tensor> gradients;  ///< zeros where nothing was delivered
};
OpResult evaluate(const OpCase& c, const std::vector<Tensor>& inputs);
/// The same for that dy rounded to a type first.
OpResult evaluate(const OpCase& c, const std::vector<Tensor>& inputs, Dtype dy_rounded_to);

/// How many of its inputs, the first ones, may be bf16, the others then f32; 0 where none may.
std::size_t activations_of(const OpCase& c);

/// Constants for use inside `f`, on the same device as `like`.
Tensor labels_like(const Tensor& like, const Shape& shape, const std::vector<std::int32_t>& values);
Tensor constant_like(const Tensor& like, const Shape& shape,
                     const std::vector<double>& values);  ///< of the dtype that like is computed in

/// All cases. One function per family of files adds its own.
const std::vector<OpCase>& op_cases();
/// Some operations again in f32, at sizes at which the CPU splits its loops into many chunks and spreads them over threads;
/// odd, so that pieces are left over.
const std::vector<OpCase>& large_cases();
/// The losses of all methods, and layers and networks with their parameters: for gradient checks.
const std::vector<OpCase>& loss_cases();
const std::vector<OpCase>& module_cases();
/// op_cases_images.cpp: element by element, conv, pool, resize, norm, layout, dropout
void add_image_cases(std::vector<OpCase>& cases);
/// op_cases_vectors.cpp: products, rows, distances, nuclear norm, losses
void add_vector_cases(std::vector<OpCase>& cases);
void add_large_cases(std::vector<OpCase>& cases);  ///< op_cases_large.cpp

}  // namespace sagcl::tests
