#include "layers/replay.h"

#include <gtest/gtest.h>

#include "ops/arithmetic.h"
#include "ops/cross_entropy.h"
#include "ops/reduce.h"
#include "tests/support/recording_device.h"
#include "tests/support/throws.h"

using namespace sagcl;
using namespace sagcl::layers;
using engine::Generator;
using tests::RecordingDevice;
using tests::throws;

namespace {

/// A network on the recording device, its passes, and a batch that changes with every step.
class Example {
 public:
  Example(const std::string& net, Replay::Options options) : flat_(net == "unet") {
    RecordingDevice::get();
    Generator start(5, "weights");
    network = make_segmenter(net, {.in_channels = 1, .classes = 3, .width = 2}, start);
    move_to(*network, RecordingDevice::place());
    passes = std::make_unique<Replay>(*network, options);
  }

  engine::Shape shape() const { return flat_ ? engine::Shape{2, 1, 16, 32, 1} : engine::Shape{2, 16, 16, 32, 1}; }

  Variable x(std::uint64_t step) const {
    Generator random(7, "image", step);
    std::vector<float> values(std::size_t(shape().size()));
    for (float& v : values) v = float(random.normal());
    return Variable(Tensor::of(shape(), values).to(RecordingDevice::place()));
  }

  Tensor labels(std::uint64_t step) const {
    Generator random(8, "labels", step);
    std::vector<std::int32_t> values(std::size_t(shape().size()));
    for (std::int32_t& v : values) v = std::int32_t(random.integer(3));
    return Tensor::of({shape()[0], shape()[1], shape()[2], shape()[3]}, values).to(RecordingDevice::place());
  }

  /// One step of gradient descent; everything that came out, as text of bits would: exact doubles.
  std::vector<double> step(std::uint64_t number, bool use_bottleneck = false) {
    std::vector<double> all;
    const auto add = [&](const Tensor& t) {
      for (double v : t.to_doubles()) all.push_back(v);
    };
    {
      Generator random(9, "dropout", number);
      autograd::Tape tape;
      const Segmentation out = passes->forward(x(number), {.training = true, .random = &random});
      Variable loss = ops::cross_entropy(out.logits, labels(number));
      if (use_bottleneck) loss = ops::add(loss, ops::mean(ops::square(out.bottleneck)));
      tape.backward(loss);
      all.push_back(double(random.next_key().key0));  // the stream has moved on by as much
      add(loss.value()), add(out.logits.value()), add(out.bottleneck.value());
    }
    for (auto& [name, p] : parameters_in_order(*network)) {
      add(p->grad());
      Tensor& w = p->value_for_update();
      ops::backend(w.device()).scale_add(1, w, -0.05, p->grad(), w);
      p->clear_grad();
    }
    for (auto& [name, b] : buffers_in_order(*network)) add(*b);
    return all;
  }

  std::unique_ptr<Segmenter> network;
  std::unique_ptr<Replay> passes;

 private:
  bool flat_;
};

}  // namespace

TEST(Replay, StepsHaveTheSameBits) {
  for (const char* net : {"vnet", "unet"}) {
    Example plain(net, {.enabled = false}), replayed(net, {});
    const RecordingDevice& device = RecordingDevice::get();
    const int recordings = device.recordings, replays = device.replays;
    for (std::uint64_t i = 0; i < 4; ++i) EXPECT_EQ(plain.step(i), replayed.step(i)) << net << ", step " << i;
    EXPECT_EQ(device.recordings, recordings + 2);  // forward and backward
    EXPECT_EQ(device.replays, replays + 6);        // of three steps: the first runs as always
  }
}

TEST(Replay, GradientsMayArriveAtTheBottleneckToo) {
  Example plain("vnet", {.enabled = false}), replayed("vnet", {.bottleneck_gradient = true}), without("vnet", {});
  for (std::uint64_t i = 0; i < 3; ++i) {
    const auto expected = plain.step(i, true);
    EXPECT_EQ(expected, replayed.step(i, true)) << "step " << i;
    const auto other = without.step(i, true);
    if (i == 1) { EXPECT_NE(expected, other); }  // without it the results differ
  }
}

TEST(Replay, ATeacherHasNoBackward) {
  Example plain("vnet", {.enabled = false}), replayed("vnet", {});
  const int recordings = RecordingDevice::get().recordings;
  std::vector<double> last;
  for (int i = 0; i < 3; ++i) {
    Generator a(1, "dropout", std::uint64_t(i)), b = a;
    const auto logits = plain.passes->forward(plain.x(0), {.training = true, .random = &a}).logits.value().to_doubles();
    EXPECT_EQ(logits, replayed.passes->forward(plain.x(0), {.training = true, .random = &b}).logits.value().to_doubles());
    EXPECT_NE(logits, last);  // other masks
    last = logits;
  }
  EXPECT_EQ(RecordingDevice::get().recordings, recordings + 1);
}

TEST(Replay, KindsOfPassesAreRecordedApart) {
  Example plain("unet", {.enabled = false}), replayed("unet", {});
  for (int i = 0; i < 3; ++i)
    for (const bool update : {true, false})
      for (const bool drop : {true, false}) {
        Generator a(1, "dropout", std::uint64_t(i)), b = a;
        const auto logits = [&](Example& e, Generator& random) {
          return e.passes
              ->forward(e.x(std::uint64_t(i)), {.training = true, .update_statistics = update, .dropout = drop, .random = &random})
              .logits.value().to_doubles();
        };
        EXPECT_EQ(logits(plain, a), logits(replayed, b)) << i << update << drop;
      }
  for (const auto& [name, b] : buffers_of(*plain.network)) EXPECT_EQ(b->to_doubles(), buffers_of(*replayed.network).at(name)->to_doubles());
}

TEST(Replay, EvaluationAndObserversSeeTheNetworkItself) {
  struct Counter final : autograd::Observer {
    int operations = 0;
    void after_forward(const Step&, const Tensor&) override { ++operations; }
  } counter;
  Example example("vnet", {});
  const int recordings = RecordingDevice::get().recordings;
  for (int i = 0; i < 3; ++i) {
    example.passes->forward(example.x(0), {});
    Generator random(1, "dropout");
    autograd::Tape tape({.observer = &counter});
    example.passes->forward(example.x(0), {.training = true, .random = &random});
  }
  EXPECT_GT(counter.operations, 3 * 40);
  EXPECT_EQ(RecordingDevice::get().recordings, recordings);
}

TEST(Replay, WeightsThatMovedAreRecordedAgain) {
  Example plain("vnet", {.enabled = false}), replayed("vnet", {});
  for (std::uint64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(plain.step(i), replayed.step(i));
    if (i == 2)
      for (Example* e : {&plain, &replayed}) {
        move_to(*e->network, engine::Device::cpu());
        move_to(*e->network, RecordingDevice::place());
      }
  }
}

TEST(Replay, GradientsLastOnlyIfAskedFor) {
  for (const bool lasting : {false, true}) {
    Example example("vnet", {.lasting_gradients = lasting});
    example.step(0);
    std::vector<Tensor> kept;
    std::vector<double> before, after;
    for (std::uint64_t i = 1; i < 3; ++i) {
      Generator random(9, "dropout", i);
      autograd::Tape tape;
      tape.backward(ops::cross_entropy(example.passes->forward(example.x(i), {.training = true, .random = &random}).logits, example.labels(i)));
      for (auto& [name, p] : parameters_in_order(*example.network)) {
        if (i == 1) kept.push_back(p->grad());
        p->clear_grad();
      }
      std::vector<double>& values = i == 1 ? before : after;
      for (const Tensor& g : kept)
        for (double v : g.to_doubles()) values.push_back(v);
    }
    EXPECT_EQ(before == after, lasting);
  }
}

TEST(Replay, ABackwardBelongsToTheLastPass) {
  Example example("vnet", {});
  example.step(0);
  Generator random(1, "dropout");
  autograd::Tape tape;
  const Pass pass{.training = true, .random = &random};
  const Variable first = example.passes->forward(example.x(0), pass).logits;
  example.passes->forward(example.x(1), pass);
  EXPECT_TRUE(throws<engine::BackendError>([&] { tape.backward(ops::mean(first)); },
                                           "a replayed pass has run again before the backward of this one"));
}

TEST(Replay, MemoryStaysWithTheRecordingAndThenReturns) {
  const auto in_use = [] { return engine::allocator(RecordingDevice::place()).statistics().in_use; };
  Example example("vnet", {});
  const std::size_t before = in_use();
  example.step(0);
  EXPECT_EQ(in_use(), before);
  example.step(1);
  EXPECT_GT(in_use(), before);
  example.passes = nullptr;
  EXPECT_EQ(in_use(), before);
}

TEST(Replay, ADeviceThatCannotRecordRunsAsAlways) {
  Generator start(5, "weights");
  const auto network = make_segmenter("unet", {.width = 2}, start);
  Replay passes(*network, {});
  for (int i = 0; i < 3; ++i) {
    Generator a(1, "dropout"), b = a;
    const Variable x(Tensor::full({2, 1, 16, 16, 1}, 0.5 + i));
    EXPECT_EQ(network->forward(x, {.training = true, .update_statistics = false, .random = &a}).logits.value().to_doubles(),
              passes.forward(x, {.training = true, .update_statistics = false, .random = &b}).logits.value().to_doubles());
  }
}
