// Lesson 10: learning from images without labels: a teacher that averages its student, and copy-paste. The page is
// docs/learn/10-copy-paste-and-teacher.md. Usage: learn-10 [steps]
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "datasets/phantom.h"
#include "layers/optimiser.h"
#include "layers/projection_head.h"
#include "layers/segmenter.h"
#include "ops/arithmetic.h"
#include "ops/selection.h"
#include "ops/softmax.h"
#include "semiagcl/copy_paste.h"
#include "semiagcl/training/supervised_loss.h"
#include "semiagcl/training/teacher.h"
#include "tools/learn/lesson.h"

using namespace sagcl;
using autograd::Tape;
using autograd::Variable;
using engine::Tensor;

namespace {

constexpr std::int64_t side = 32, pairs = 4;

struct Batch {
  Tensor images, labels;  // [n, 1, side, side, 1], i32 [n, 1, side, side]
};

/// Phantoms of these numbers.
Batch phantoms(const std::vector<std::int64_t>& numbers) {
  const datasets::PhantomSpec spec{.extents = {{1, side, side}}, .classes = 2, .noise = 1.6};
  const auto n = std::int64_t(numbers.size());
  Batch batch{Tensor::empty({n, 1, side, side, 1}), Tensor::empty({n, 1, side, side}, engine::Dtype::i32)};
  for (std::int64_t i = 0; i < n; ++i) {
    const datasets::Sample sample = datasets::phantom(spec, numbers[std::size_t(i)]);
    const std::vector<float> image = sample.image.to_vector<float>();
    const std::vector<std::uint8_t> label = sample.label.to_vector<std::uint8_t>();
    std::copy(image.begin(), image.end(), batch.images.data<float>() + i * side * side);
    std::copy(label.begin(), label.end(), batch.labels.data<std::int32_t>() + i * side * side);
  }
  return batch;
}

/// The mask M: ones, with a box of zeros of two thirds of the side at a place of its own in each image.
Tensor masks(engine::Generator& random) {
  constexpr std::int64_t box = side * 2 / 3;
  Tensor mask = Tensor::full({pairs, 1, side, side}, 1);
  for (std::int64_t i = 0; i < pairs; ++i) {
    const std::int64_t top = random.integer(side - box), left = random.integer(side - box);
    for (std::int64_t h = 0; h < box; ++h) std::fill_n(mask.data<float>() + (i * side + top + h) * side + left, box, 0.0f);
  }
  return mask;
}

/// Dice of the foreground on 32 phantoms nobody trains on.
double dice(layers::Segmenter& network) {
  std::vector<std::int64_t> numbers;
  for (int i = 0; i < 32; ++i) numbers.push_back(1000 + i);
  const Batch unseen = phantoms(numbers);
  const Tensor answer = ops::most_likely(network.forward(Variable(unseen.images), {}).logits.value());
  double common = 0, both = 0;
  for (std::int64_t i = 0; i < answer.size(); ++i) {
    const std::int32_t a = answer.data<std::int32_t>()[i], t = unseen.labels.data<std::int32_t>()[i];
    common += a * t, both += a + t;
  }
  return 2 * common / both;
}

/// How two labelled phantoms are learnt from: as they are; with boxes swapped between them; and from the middle of the
/// training on pasted into 64 others without labels, for which the teacher answers.
enum class Way { plain, swapped, taught };

/// Prints and gives the Dice of the teacher.
double train(const char* name, Way way, int steps) {
  engine::Generator random(10, "lesson 10");
  const layers::SegmenterSpec spec{.in_channels = 1, .classes = 2, .width = 4};
  const auto student = layers::make_segmenter("unet", spec, random), teacher = layers::make_segmenter("unet", spec, random);
  layers::copy_weights(*student, *teacher);
  layers::Adam adam(layers::parameters_of(*student));
  const layers::Pass pass{.training = true, .random = &random};
  const Batch labelled = phantoms({0, 1, 0, 1}), swapped = phantoms({1, 0, 1, 0});
  for (int step = 0; step < steps; ++step) {
    const semiagcl::BothWays mix(masks(random));
    const bool taught = way == Way::taught && step >= steps / 2;
    const std::int64_t first = 2 + pairs * (step % 16);
    const Tensor others = taught ? phantoms({first, first + 1, first + 2, first + 3}).images : swapped.images;
    const Tensor images = way == Way::plain ? labelled.images : mix.mix(labelled.images, others);
    Tensor pseudo;
    if (taught) {
      const Variable scores = teacher->forward(Variable(others), {}).logits;  // no tape: the teacher is a constant
      pseudo = semiagcl::pseudo_labels(ops::softmax(scores).value(), false);
    }
    Tape tape;
    const Variable logits = student->forward(Variable(images), pass).logits;
    if (taught)
      tape.backward(
          ops::add(mix.labelled_loss(logits, labelled.labels), ops::scale(mix.unlabelled_loss(logits, pseudo), 0.5)));
    else
      tape.backward(
          semiagcl::supervised_loss(logits, way == Way::plain ? labelled.labels : mix.mix(labelled.labels, swapped.labels)));
    adam.step(3e-3);
    const Tensor alpha = Tensor::full({1}, semiagcl::ema_alpha(step, 0.95), engine::Dtype::f64);
    semiagcl::update_teacher(*teacher, *student, alpha, {}, semiagcl::Buffers::averaged);
  }
  const double result = dice(*teacher);
  fmt::print("  {:<38} student {:.3f}, teacher {:.3f}\n", name, dice(*student), result);
  return result;
}

/// A student of one weight that jumps about 1, and its teacher by hand and by the library: both must agree.
void average(learn::Claims& claims) {
  engine::Generator random(3, "lesson 10");
  layers::Linear student(1, 1, random), teacher(1, 1, random);
  const auto weight = [](layers::Linear& layer) { return layers::parameters_of(layer).at("w"); };
  const double decay = 0.95;
  double by_hand = 0, difference = 0, student_square = 0, teacher_square = 0;
  for (int step = 0; step < 5000; ++step) {
    const double jump = random.normal(), alpha = std::min(1 - 1 / (step + 1.0), decay);
    weight(student)->value_for_update().data<float>()[0] = float(1 + jump);
    by_hand = alpha * by_hand + (1 - alpha) * (1 + jump);
    semiagcl::update_teacher(teacher, student, Tensor::full({1}, semiagcl::ema_alpha(step, decay), engine::Dtype::f64));
    difference = std::max(difference, std::abs(by_hand - weight(teacher)->value().item()));
    student_square += jump * jump / 5000, teacher_square += (by_hand - 1) * (by_hand - 1) / 5000;
  }
  const double share = std::sqrt(teacher_square / student_square), formula = std::sqrt((1 - decay) / (1 + decay));
  fmt::print("A student jumps about 1. Its teacher, t <- α t + (1 - α) s with α = {}, jumps {:.2f} as far; in the limit\n",
             decay, share);
  fmt::print("it is √((1 - α)/(1 + α)) = {:.2f}.\n", formula);
  claims.check(difference < 1e-5 && std::abs(share / formula - 1) < 0.1,
               "by hand and by the library the same, near the limit");
}

/// Two images and their two mixtures, drawn with . and o (the first's background and organ), : and x (the second's).
void paste(learn::Claims& claims) {
  engine::Generator random(1, "lesson 10");
  Batch a = phantoms({0, 0, 0, 0}), b = phantoms({3, 3, 3, 3});
  for (std::int64_t i = 0; i < b.labels.size(); ++i) b.labels.data<std::int32_t>()[i] += 2;
  const semiagcl::BothWays mix(masks(random));
  const Tensor mixed = mix.mix(a.labels, b.labels);  // [2 pairs, ...]
  const std::int32_t* pictures[] = {a.labels.data<std::int32_t>(), b.labels.data<std::int32_t>(), mixed.data<std::int32_t>(),
                                    mixed.data<std::int32_t>() + pairs * side * side};
  fmt::print("\nTwo images, and what the mask M makes of them:\n");
  std::int64_t kept[4] = {}, drawn[4] = {};
  for (std::int64_t h = 0; h < side; ++h) {
    for (int p = 0; p < 4; ++p)
      for (std::int64_t w = 0; w < side; ++w) {
        const std::int32_t code = pictures[p][h * side + w];
        ++(p < 2 ? kept : drawn)[code];
        if (h % 3 == 1 && w % 2 == 0) fmt::print("{}{}", w == 0 ? "  " : "", ".o:x"[code]);
      }
    if (h % 3 == 1) fmt::print("\n");
  }
  claims.check(std::equal(kept, kept + 4, drawn), "the mixtures hold every voxel of both images once");

  Variable logits = Variable::parameter(Tensor::zeros({2 * pairs, 1, side, side, 2}));
  {
    Tape tape;
    tape.backward(mix.labelled_loss(logits, a.labels));
  }
  bool only_labelled = true;
  for (std::int64_t i = 0; i < mixed.size(); ++i)
    only_labelled = only_labelled && (logits.grad().data<float>()[2 * i] != 0) == (mixed.data<std::int32_t>()[i] < 2);
  claims.check(only_labelled, "the loss with the truth has a gradient where the labelled image is seen, and nowhere else");
}

}  // namespace

int main(int count, char** arguments) {
  const int steps = count > 1 ? std::max(8, std::atoi(arguments[1])) : 200;
  learn::Claims claims;
  average(claims);
  paste(claims);
  fmt::print("\nTwo labelled phantoms in heavy noise, {} steps. Dice on 32 others:\n", steps);
  const double plain = train("as they are", Way::plain, steps);
  train("boxes swapped between them", Way::swapped, steps);
  const double taught = train("then pasted into 64 without labels", Way::taught, steps);
  claims.check(taught > plain, "pasting and a teacher help");
  return claims.exit_code();
}
