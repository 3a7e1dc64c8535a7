#include <algorithm>
#include <chrono>
#include <cmath>

#include "autograd/tape.h"
#include "engine/devices/device_registry.h"
#include "engine/devices/precision.h"
#include "engine/devices/replay.h"
#include "layers/optimiser.h"
#include "layers/segmenter.h"
#include "ops/cross_entropy.h"
#include "tests/gpu/gpu_check.h"

namespace sagcl::gpu {

using autograd::Variable;
using engine::Extents;
using engine::Precision;

namespace {

/// A network, perhaps a teacher that follows it, and one batch: what tools/gpu/peers.py trains.
class Training {
 public:
  Training(const std::string& net, const Extents& size, std::int64_t batch, std::int64_t teacher_batch, std::int64_t width,
           Device device, bool replay = false, bool recompute = true)
      : device_(device), teacher_batch_(teacher_batch), recompute_(recompute), replay_(device, replay) {
    const layers::SegmenterSpec spec{.in_channels = 1, .classes = net == "vnet" ? 2 : 4, .width = width};
    engine::Generator start(0, "weights");
    student_ = layers::make_segmenter(net, spec, start);
    teacher_ = layers::make_segmenter(net, spec, start);
    layers::move_to(*student_, device);
    layers::move_to(*teacher_, device);
    engine::Generator data(1, "data");
    std::vector<float> x(std::size_t(batch * size.volume()));
    std::vector<std::int32_t> y(x.size());
    for (float& v : x) v = float(data.normal());
    for (std::int32_t& v : y) v = std::int32_t(data.integer(spec.classes));
    x_ = Tensor::of({batch, size[0], size[1], size[2], 1}, x).to(device);
    y_ = Tensor::of({batch, size[0], size[1], size[2]}, y).to(device);
    if (teacher_batch > 0) {
      x.resize(std::size_t(teacher_batch * size.volume()));
      unlabelled_ = Tensor::of({teacher_batch, size[0], size[1], size[2], 1}, x).to(device);
    }
    adam_ = std::make_unique<layers::Adam>(layers::parameters_of(*student_));
    alpha_ = Tensor::full({1}, 0.99, engine::Dtype::f64, device);
  }

  /// The loss, left on the device.
  Tensor step() {
    adam_->prepare(1e-4);
    replay_.run(engine::Generator(3, "dropout", ++steps_), [&](const engine::Generator& random) { work(random); });
    return loss_;
  }

  layers::Segmenter& student() { return *student_; }

 private:
  void work(engine::Generator random) {
    {
      autograd::Tape tape({.recompute = recompute_});
      const Variable loss =
          ops::cross_entropy(student_->forward(Variable(x_), {.training = true, .random = &random}).logits, y_);
      if (teacher_batch_ > 0) {
        const autograd::NoGrad off;
        teacher_->forward(Variable(unlabelled_), {.training = true, .dropout = false});
      }
      tape.backward(loss);
      loss_ = loss.value();
    }
    adam_->apply(adam_->take_gradients());
    if (teacher_batch_ == 0) return;
    std::vector<std::pair<Tensor, Tensor>> pairs;
    const auto students = layers::parameters_of(*student_);
    for (const auto& [name, p] : layers::parameters_of(*teacher_))
      pairs.emplace_back(p->value(), students.at(name)->value());
    ops::backend(device_).average(alpha_, {}, pairs);
  }

  Device device_;
  std::int64_t teacher_batch_;
  bool recompute_;
  std::uint64_t steps_ = 0;
  std::unique_ptr<layers::Segmenter> student_, teacher_;
  std::unique_ptr<layers::Adam> adam_;
  engine::Replay replay_;
  Tensor x_, y_, unlabelled_, alpha_, loss_;
};

struct Net {
  const char* name;
  Extents size, tiny;
  std::int64_t batch, tiny_batch;
};

}  // namespace

int step_parity(const Options& options) {
  int failures = 0;
  const Net nets[] = {{"vnet", {}, {{32, 32, 16}}, 0, 2}, {"unet", {}, {{1, 64, 64}}, 0, 2}};
  engine::set_precision(Precision::fp32);
  for (const Net& n : nets) {
    const int steps = options.small ? 2 : 10;
    Training cpu(n.name, n.tiny, n.tiny_batch, 1, 8, Device::cpu()), one(n.name, n.tiny, n.tiny_batch, 1, 8, options.device),
        two(n.name, n.tiny, n.tiny_batch, 1, 8, options.device);
    // Adam divides by the size of the gradient: where that is near 0, rounding decides the direction, so runs drift apart.
    double first = 0, worst = 0, last = 0;
    bool equal = true;
    for (int i = 0; i < steps; ++i) {
      const double a = cpu.step().item(), b = one.step().item(), c = two.step().item();
      worst = std::max(worst, std::abs(a - b) / std::abs(a));
      if (i == 0) first = worst;
      equal = equal && b == c;
      last = b;
    }
    for (const auto& [name, p] : layers::parameters_of(one.student()))
      equal = equal && p->value().to_doubles() == layers::parameters_of(two.student()).at(name)->value().to_doubles();
    const bool ok = first < 1e-5 && worst < 1e-2 && equal;
    failures += !ok;
    report(options, "steps", n.name,
           fmt::format("\"steps\": {}, \"loss\": {:.6f}, \"first_loss_error\": {:.1e}, \"worst_loss_error\": {:.1e}, "
                       "\"bit_equal\": {}, \"ok\": {}",
                       steps, last, first, worst, equal, ok));
  }
  return failures;
}

namespace {

/// The polar iteration of an affinity graph that is too large for the kernel of small ones: recorded, then replayed twice.
int polar_replay(const Options& options) {
  engine::Generator random(4, "polar");
  std::vector<float> values(66 * 66);
  for (float& v : values) v = float(random.normal());
  const Tensor a = Tensor::of({1, 66, 66}, values).to(options.device);
  const ops::NuclearNormSpec spec{.polar = true};
  const auto norm = [&] {
    std::pair<Tensor, Tensor> out{Tensor::empty({1}, a.dtype(), a.device()), Tensor::empty_like(a)};
    ops::backend(options.device).nuclear_norm(spec, a, out.first, out.second);
    return out;
  };
  const auto direct = norm();
  engine::Replay replay(options.device, true);
  std::pair<Tensor, Tensor> replayed;
  bool equal = true;
  for (std::uint64_t i = 0; i < 3; ++i) {
    replay.run(engine::Generator(5, "unused", i), [&](const engine::Generator&) { replayed = norm(); });
    equal = equal && replayed.first.to_doubles() == direct.first.to_doubles() &&
            replayed.second.to_doubles() == direct.second.to_doubles();
  }
  report(options, "replay", "polar 66x66",
         fmt::format("\"norm\": {:.6f}, \"bit_equal\": {}, \"ok\": {}", direct.first.item(), equal, equal));
  return equal ? 0 : 1;
}

}  // namespace

/// Recorded and replayed steps against those that are asked for one kernel at a time: equal bits, then times.
int step_replay(const Options& options) {
  engine::set_precision(Precision::fp32);
  int failures = polar_replay(options);
  engine::set_precision(Precision::tf32);
  const Net nets[] = {{"vnet", {{32, 48, 32}}, {{32, 32, 16}}, 4, 2},
                      {"vnet", {{64, 64, 48}}, {{32, 16, 16}}, 4, 2},
                      {"unet", {{1, 128, 128}}, {{1, 64, 64}}, 4, 2}};
  for (const Net& n : nets) {
    const int steps = options.small ? 4 : 10;
    Training direct(n.name, n.tiny, n.tiny_batch, 1, 8, options.device),
        replayed(n.name, n.tiny, n.tiny_batch, 1, 8, options.device, true);
    bool equal = true;
    for (int i = 0; i < steps; ++i) equal = equal && direct.step().item() == replayed.step().item();
    for (const auto& [name, p] : layers::parameters_of(direct.student()))
      equal = equal && p->value().to_doubles() == layers::parameters_of(replayed.student()).at(name)->value().to_doubles();
    for (const auto& [name, b] : layers::buffers_of(direct.student()))
      equal = equal && b->to_doubles() == layers::buffers_of(replayed.student()).at(name)->to_doubles();
    failures += !equal;
    double ms[2] = {};
    for (const bool replay : {false, true}) {
      if (options.small) break;
      Training training(n.name, n.size, n.batch, n.batch / 2, 8, options.device, replay);
      for (int i = 0; i < 8; ++i) training.step();
      ms[replay] = time_ms(options.device, options.steps, [&] { training.step(); });
    }
    report(options, "replay", fmt::format("{} {}", n.name, engine::to_string(n.size)),
           fmt::format("\"steps\": {}, \"direct_ms\": {:.3f}, \"replayed_ms\": {:.3f}, \"bit_equal\": {}, \"ok\": {}", steps,
                       ms[0], ms[1], equal, equal));
  }
  engine::set_precision(Precision::fp32);
  return failures;
}

int step_times(const Options& options) {
  struct Mode {
    std::int64_t teacher;
    bool replay, recompute;
  };
  const struct {
    const char* name;
    const char* net;
    Extents size;
    std::int64_t batch;
  } cases[] = {{"vnet112", "vnet", {{112, 112, 80}}, 4},
               {"vnet64", "vnet", {{64, 64, 48}}, 4},
               {"unet256", "unet", {{1, 256, 256}}, 24}};
  for (const auto& c : cases)
    for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16})
      for (const auto& [teacher, replay, recompute] : {Mode{0, false, true},
                                                       {0, false, false},
                                                       {c.batch / 2, false, true},
                                                       {c.batch / 2, true, true},
                                                       {c.batch / 2, true, false}}) {
        if (!selected(options, c.name)) continue;
        if (!options.precision.empty() && options.precision != engine::to_string(precision)) continue;
        engine::set_precision(precision);
        Training training(c.net, c.size, c.batch, teacher, 16, options.device, replay, recompute);
        engine::allocator(options.device).empty_cache();
        const auto begin = std::chrono::steady_clock::now();
        Tensor loss;
        for (int i = 0; i < 8; ++i) loss = training.step();
        engine::runtime(options.device).synchronize();
        const double warm = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        engine::allocator(options.device).reset_peak();
        const double ms = time_ms(options.device, options.steps, [&] { loss = training.step(); });
        const auto memory = engine::allocator(options.device).statistics();
        report(
            options, "bench", c.name,
            fmt::format("\"precision\": \"{}\", \"teacher\": {}, \"replay\": {}, \"recompute\": {}, \"ms\": {:.3f}, "
                        "\"peak_MiB\": {}, "
                        "\"warm_up_s\": {:.1f}, \"loss\": {:.5f}",
                        engine::to_string(precision), teacher, replay, recompute, ms, memory.peak >> 20, warm, loss.item()));
      }
  engine::set_precision(Precision::fp32);
  return 0;
}

}  // namespace sagcl::gpu
