#pragma once
#include <functional>
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "engine/place.h"

/// Measurements of sagcl-bench: single operations at the sizes of the networks' layers, and whole training steps.
namespace sagcl::tools {

double median(const std::vector<double>& values);   ///< UsageError for none
double seconds_of(const std::function<void()>& f);  ///< wall clock

/// One operation with inputs that all want gradients.
struct BenchCase {
  std::string name;
  std::vector<engine::Shape> inputs;
  std::function<autograd::Variable(const std::vector<autograd::Variable>&)> f;
  double flops = 0;  ///< multiplications and additions of a forward; 0 where memory, not arithmetic, is the limit
};

/// Every family of operations at the sizes at which the networks and the method use it: V-Net 64x64x48, U-Net 256x256 with 4
/// images.
std::vector<BenchCase> layer_cases();

struct CaseTiming {
  std::string name;
  double forward = 0, both = 0;  ///< median seconds of a forward alone, and of forward and backward on a tape
  double flops = 0;
};

/// Repeats a case until `seconds` have passed, at least 3 times, after one unmeasured time.
CaseTiming time_case(const BenchCase& c, double seconds, engine::Device device);

/// ‖f32 − f64‖ / ‖f64‖ of a case's result and of the gradient of each input.
std::vector<double> errors_of(const BenchCase& c, engine::Device device);

/// Forward, cross-entropy, backward and Adam on random values: the step that other frameworks are compared with.
struct StepSpec {
  std::string net = "vnet";
  std::vector<std::int64_t> shape = {64, 64, 48};  ///< D,H,W, or H,W for unet
  std::int64_t batch = 1, width = 16, steps = 5, warm = 2;
  std::string storage = "f32";  ///< of activations, as train.storage
  bool recompute = true;        ///< outputs of norms in the backward pass
  engine::Device device;
};
struct StepTiming {
  std::int64_t parameters = 0;
  double forward = 0, backward = 0, optimiser = 0;  ///< medians in seconds; the loss belongs to the forward
  double step_median = 0, step_min = 0;
  double peak_mib = 0;            ///< resident memory of the process (on a GPU: of its allocator)
  double allocator_peak_mib = 0;  ///< of tensors, during the measured steps
};
StepTiming time_step(const StepSpec& spec);

}  // namespace sagcl::tools
