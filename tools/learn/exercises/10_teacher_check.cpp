#include <cmath>

#include "semiagcl/copy_paste.h"
#include "semiagcl/training/teacher.h"
#include "tools/learn/exercises/exercises.h"

using namespace sagcl;
using engine::Tensor;
using exercises::Numbers;
using exercises::Plane;

int main() try {
  Plane a{.height = 4, .width = 6, .values = {}}, b = a;
  for (int i = 0; i < 24; ++i) a.values.push_back(i), b.values.push_back(100 + i);
  const auto [first, second] = exercises::paste_both_ways(a, b, {.top = 1, .left = 2, .height = 2, .width = 3});
  if (first.values.size() != 24 || second.values.size() != 24)
    return exercises::unfinished("10_teacher.cpp", "paste the box both ways");
  learn::Claims claims;
  const Numbers by_hand = {0,  1,  2,   3,   4,   5,  6,  7,  108, 109, 110, 11,  //
                           12, 13, 114, 115, 116, 17, 18, 19, 20,  21,  22,  23};
  claims.check(first.values == by_hand,
               "the first image has the other's rows 1 and 2, columns 2 to 4, and is itself elsewhere");
  bool whole = true;
  for (std::size_t i = 0; i < 24; ++i) whole = whole && first.values[i] + second.values[i] == a.values[i] + b.values[i];
  claims.check(whole, "what one lost the other has");
  Tensor mask = Tensor::full({1, 1, 4, 6}, 1);
  for (int h = 1; h < 3; ++h)
    for (int w = 2; w < 5; ++w) mask.data<float>()[6 * h + w] = 0;
  const auto image = [](const Plane& plane) { return Tensor::of({1, 1, 4, 6, 1}, plane.values).to(engine::Dtype::f32); };
  Numbers both = first.values;
  both.insert(both.end(), second.values.begin(), second.values.end());
  claims.check(semiagcl::BothWays(mask).mix(image(a), image(b)).to_doubles() == both, "the engine mixes them so");

  Numbers teacher = {10, -10}, students = {0, 0};
  exercises::follow(teacher, {1, 2}, 0, 0.75);
  if (teacher == Numbers{10, -10}) return exercises::unfinished("10_teacher.cpp", "let the teacher follow");
  claims.check(teacher == Numbers{1, 2}, "step 0 forgets where the teacher began");
  for (int step = 1; step < 4; ++step) exercises::follow(teacher, {1 + double(step), 2 - double(step)}, step, 0.75);
  claims.check(std::abs(teacher[0] - 2.5) < 1e-12 && std::abs(teacher[1] - 0.5) < 1e-12,
               "up to step 3 it is the mean of the students: {} and {}", teacher[0], teacher[1]);
  exercises::follow(teacher, students, 100, 0.75);
  claims.check(std::abs(teacher[0] - 1.875) < 1e-12, "later it keeps three quarters of itself: {}", teacher[0]);
  const double alpha = semiagcl::ema_alpha(100, 0.75);
  claims.check(std::abs(teacher[0] - 2.5 * alpha) < 1e-12, "the engine's α is {}", alpha);
  return claims.exit_code();
} catch (const std::exception& e) { return exercises::threw(e); }
