#include <algorithm>

#include "engine/devices/allocator.h"
#include "engine/devices/device_registry.h"
#include "engine/devices/device_runtime.h"
#include "engine/random.h"
#include "layers/optimiser.h"
#include "layers/segmenter.h"
#include "ops/cross_entropy.h"
#include "ops/storage.h"
#include "tools/bench/bench.h"
#include "tools/programs/program.h"

namespace sagcl::tools {

using autograd::Variable;
using engine::Tensor;

namespace {

struct Parts {
  double forward, backward, optimiser;
};

}  // namespace

StepTiming time_step(const StepSpec& spec) {
  const bool flat = layers::flat(spec.net);
  engine::require<engine::UsageError>(spec.shape.size() == (flat ? 2u : 3u), "--shape: {} needs {} extents, got {}",
                                      spec.net, flat ? 2 : 3, spec.shape.size());
  const std::int64_t d = flat ? 1 : spec.shape[0], h = spec.shape[flat ? 0 : 1], w = spec.shape[flat ? 1 : 2],
                     classes = flat ? 4 : 2;
  engine::Generator weights(0, "weights"), values(0, "values");
  const auto net = layers::make_segmenter(spec.net, {.in_channels = 1, .classes = classes, .width = spec.width}, weights);
  layers::move_to(*net, spec.device);
  Tensor x = Tensor::empty({spec.batch, d, h, w, 1}), y = Tensor::empty({spec.batch, d, h, w}, engine::Dtype::i32);
  for (std::int64_t i = 0; i < x.size(); ++i) x.data<float>()[i] = float(values.normal());
  for (std::int64_t i = 0; i < y.size(); ++i) y.data<std::int32_t>()[i] = std::int32_t(values.integer(classes));
  x = x.to(spec.device), y = y.to(spec.device);
  layers::Adam adam(layers::parameters_of(*net));
  engine::DeviceRuntime& device = engine::runtime(spec.device);

  std::int64_t step = 0;
  const auto one = [&] {
    engine::Generator random(0, "dropout", std::uint64_t(step++));
    Parts parts{};
    device.synchronize();
    {
      autograd::Tape tape({.recompute = spec.recompute, .keep = ops::storage(spec.storage)});
      Variable loss;
      parts.forward = seconds_of([&] {
        loss = ops::cross_entropy(net->forward(Variable(x), {.training = true, .random = &random}).logits, y);
        device.synchronize();
      });
      parts.backward = seconds_of([&] { tape.backward(loss), device.synchronize(); });
    }
    parts.optimiser = seconds_of([&] { adam.step(1e-4), device.synchronize(); });
    return parts;
  };

  for (std::int64_t i = 0; i < spec.warm; ++i) one();
  engine::CachingAllocator& allocator = engine::allocator(spec.device);
  allocator.reset_peak();
  std::vector<double> forward, backward, optimiser, total;
  for (std::int64_t i = 0; i < spec.steps; ++i) {
    const Parts p = one();
    forward.push_back(p.forward), backward.push_back(p.backward), optimiser.push_back(p.optimiser);
    total.push_back(p.forward + p.backward + p.optimiser);
  }
  StepTiming t{.parameters = layers::count_parameters(*net),
               .forward = median(forward),
               .backward = median(backward),
               .optimiser = median(optimiser),
               .step_median = median(total),
               .step_min = *std::min_element(total.begin(), total.end())};
  t.allocator_peak_mib = double(allocator.statistics().peak) / (1 << 20);
  t.peak_mib = spec.device.is_cpu() ? peak_resident_mib() : t.allocator_peak_mib;
  return t;
}

}  // namespace sagcl::tools
