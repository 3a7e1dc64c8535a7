// Lesson 7: a U-Net learns to find an organ, on pictures that are made up as needed. The page is
// docs/learn/07-unet-on-phantoms.md. Usage: learn-07 [steps]
#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "datasets/phantom.h"
#include "layers/optimiser.h"
#include "layers/schedule.h"
#include "layers/segmenter.h"
#include "ops/arithmetic.h"
#include "ops/cross_entropy.h"
#include "ops/dice.h"
#include "ops/softmax.h"
#include "tools/learn/lesson.h"

using namespace sagcl;
using autograd::Tape;
using autograd::Variable;
using engine::Tensor;

namespace {

constexpr std::int64_t side = 48, classes = 3;

struct Batch {
  Tensor images, labels;  // [N, 1, side, side, 1], i32 [N, 1, side, side]
};

/// Phantoms number first … first + n - 1: an ellipse of two parts, noise, a ramp of brightness.
Batch phantoms(std::int64_t first, std::int64_t n) {
  const datasets::PhantomSpec spec{.extents = {{1, side, side}}, .classes = classes, .noise = 0.6};
  Batch batch{Tensor::empty({n, 1, side, side, 1}), Tensor::empty({n, 1, side, side}, engine::Dtype::i32)};
  for (std::int64_t i = 0; i < n; ++i) {
    const datasets::Sample sample = datasets::phantom(spec, first + i);
    const std::vector<float> image = sample.image.to_vector<float>();
    const std::vector<std::uint8_t> label = sample.label.to_vector<std::uint8_t>();
    std::copy(image.begin(), image.end(), batch.images.data<float>() + i * side * side);
    std::copy(label.begin(), label.end(), batch.labels.data<std::int32_t>() + i * side * side);
  }
  return batch;
}

/// Dice of a class: twice the common voxels, divided by the voxels of both.
double dice(const Tensor& answer, const Tensor& truth, std::int32_t label) {
  const std::int32_t *a = answer.data<std::int32_t>(), *t = truth.data<std::int32_t>();
  double common = 0, both = 0;
  for (std::int64_t i = 0; i < truth.size(); ++i)
    common += (a[i] == label) && (t[i] == label), both += (a[i] == label) + (t[i] == label);
  return 2 * common / both;
}

void draw(const Batch& batch, const Tensor& answer) {
  const auto line = [](auto&& mark) {
    std::string text;
    for (std::int64_t w = 0; w < side; w += 2) text += mark(w);
    return text;
  };
  const char* marks = ".ox";
  for (std::int64_t h = 0; h < side; h += 4) {
    const float* image = batch.images.data<float>() + h * side;
    const std::int32_t *truth = batch.labels.data<std::int32_t>() + h * side,
                       *found = answer.data<std::int32_t>() + h * side;
    fmt::print("  {}  {}  {}\n", line([&](auto w) { return " .:-=+*#"[std::clamp(int(2 * image[w]) + 2, 0, 7)]; }),
               line([&](auto w) { return marks[truth[w]]; }), line([&](auto w) { return marks[found[w]]; }));
  }
}

}  // namespace

int main(int count, char** arguments) {
  const int steps = count > 1 ? std::max(8, std::atoi(arguments[1])) : 200;
  learn::Claims claims;
  engine::Generator random(7, "lesson 7");
  const auto network = layers::make_segmenter("unet", {.in_channels = 1, .classes = classes, .width = 4}, random);
  layers::Adam adam(layers::parameters_of(*network));
  const Batch unseen = phantoms(1'000'000, 8);
  const auto answer = [&] { return ops::most_likely(network->forward(Variable(unseen.images), {}).logits.value()); };
  fmt::print("A U-Net of {} parameters, {} steps, 8 new phantoms in each.\n", layers::count_parameters(*network), steps);

  double first = 0, last = 0;
  for (int step = 0; step < steps; ++step) {
    const Batch batch = phantoms(8 * step, 8);
    const layers::Pass pass{.training = true, .random = &random};
    Tape tape;
    const Variable logits = network->forward(Variable(batch.images), pass).logits;
    const Variable loss =
        ops::add(ops::cross_entropy(logits, batch.labels), ops::dice_loss(ops::softmax(logits), batch.labels));
    last = loss.value().item();
    if (step == 0) first = last;
    if (step % (steps / 5) == 0) fmt::print("  step {:3}: loss {:.3f}\n", step, last);
    tape.backward(loss);
    adam.step(layers::poly_decay(5e-3, step, steps));
  }
  const Tensor found = answer();
  fmt::print("On 8 phantoms it has not seen: Dice {:.3f} and {:.3f}. One of them, its truth, the answer:\n",
             dice(found, unseen.labels, 1), dice(found, unseen.labels, 2));
  draw(unseen, found);
  claims.check(last < 0.7 * first, "the loss fell");
  claims.check(dice(found, unseen.labels, 1) > 0.5 && dice(found, unseen.labels, 2) > 0.5, "both parts are found");
  return claims.exit_code();
}
