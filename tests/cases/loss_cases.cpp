#include "ops/arithmetic.h"
#include "ops/softmax.h"
#include "semiagcl/affinity.h"
#include "semiagcl/affinity_loss.h"
#include "semiagcl/baselines/arco.h"
#include "semiagcl/baselines/double_uncertainty.h"
#include "semiagcl/baselines/dtc.h"
#include "semiagcl/baselines/mc_net.h"
#include "semiagcl/baselines/parts/class_separation.h"
#include "semiagcl/baselines/parts/cut_mix.h"
#include "semiagcl/baselines/parts/distance_head.h"
#include "semiagcl/baselines/parts/relation.h"
#include "semiagcl/baselines/parts/virtual_adversary.h"
#include "semiagcl/baselines/urpc.h"
#include "semiagcl/consistency.h"
#include "semiagcl/contrastive_loss.h"
#include "semiagcl/training/supervised_loss.h"
#include "tests/cases/op_cases.h"

// The losses of all methods as functions of what the student gives.
namespace sagcl::tests {
namespace {

using namespace semiagcl;
using Inputs = std::vector<Variable>;

const Shape few{2, 1, 2, 3, 3};  // logits of two images of 2 x 3 pixels, three classes

/// A constant that is always the same, of this dtype and device.
Tensor fixed(const Tensor& like, const Shape& shape, const char* name, const Draw& draw = normal()) {
  engine::Generator random(0, name);
  return constant_like(like, shape, draw(shape, random));
}

Tensor teacher(const Variable& like, const Shape& shape = few) {
  return fixed(like.value(), shape, "teacher", probabilities());
}

void add_consistency(std::vector<OpCase>& cases) {
  cases.push_back(
      {.name = "supervised/dice_and_ce", .inputs = {{few}}, .f = [](const Inputs& v) {
         return supervised_loss(v[0], labels_like(v[0].value(), {2, 1, 2, 3}, {0, 1, 2, -1, 1, 0, 2, 2, 0, 1, -1, 0}));
       }});
  for (const Consistency form : {Consistency::soft_ce, Consistency::sharpened_ce, Consistency::ce_argmax,
                                 Consistency::dice_ce_argmax, Consistency::mse})
    cases.push_back({.name = "consistency/" + std::string(names(form)[std::size_t(form)]),
                     .inputs = {{few}},
                     .f = [form](const Inputs& v) { return consistency_loss(v[0], teacher(v[0]), form); }});
}

void add_paper(std::vector<OpCase>& cases) {
  for (const Kernel kernel : {Kernel::l2, Kernel::l1})
    for (const Sign sign : {Sign::resolved, Sign::printed}) {
      Method m = paper();
      m.kernel = kernel, m.sign = sign, m.c_nuc = 0.7, m.patch_grid = {{1, 2, 2}};
      cases.push_back(
          {.name = fmt::format("affinity/{}_{}", names(kernel)[std::size_t(kernel)], names(sign)[std::size_t(sign)]),
           .inputs = {{{2, 1, 4, 4, 3}}},
           .f =
               [m](const Inputs& v) {
                 return affinity_loss(affinity_graph(teacher(v[0], v[0].shape()), ops::softmax(v[0]), m).a, m);
               },
           .gradient_tolerance = 1e-6});
    }
  for (const bool queue : {false, true})
    cases.push_back({.name = queue ? "contrastive/hard_and_queue" : "contrastive/hard",
                     .inputs = {{{3, 4}}},
                     .f = [queue](const Inputs& v) {
                       const Tensor& q = v[0].value();
                       Contrast c{.keys = fixed(q, {2, 4}, "keys"),
                                  .weights = fixed(q, {3, 2}, "weights", uniform(0, 1)),
                                  .own = fixed(q, {3, 5, 4}, "H")};
                       if (queue) c.shared = fixed(q, {6, 4}, "Q");
                       return contrastive_losses(v[0], c);
                     }});
}

void add_baselines(std::vector<OpCase>& cases) {
  cases.push_back({.name = "dtc/dual_task", .inputs = {{few}, {{2, 1, 2, 3, 2}}}, .f = [](const Inputs& v) {
                     return dual_task_loss(v[0], ops::scale(v[1], 1. / 1500));
                   }});
  cases.push_back({.name = "sassnet/distance", .inputs = {{{2, 1, 2, 3, 2}}}, .f = [](const Inputs& v) {
                     return distance_loss(v[0], fixed(v[0].value(), {1, 1, 2, 3, 2}, "distance"));
                   }});
  cases.push_back({.name = "double_ua/uncertainty", .inputs = {{few}}, .f = [](const Inputs& v) {
                     return double_uncertainty_loss(v[0], teacher(v[0]),
                                                    fixed(v[0].value(), {2, 1, 2, 3}, "uncertainty", uniform(0.05, 1)));
                   }});
  cases.push_back({.name = "urpc/rectified", .inputs = {{few}, {few}, {few}}, .f = rectified_consistency});
  cases.push_back({.name = "mc_net/mutual", .inputs = {{few}, {few}}, .f = [](const Inputs& v) {
                     return mutual_consistency({ops::softmax(v[0]), ops::softmax(v[1])});
                   }});
  for (const bool flat : {true, false})
    cases.push_back({.name = flat ? "ss_net/adversary_2d" : "ss_net/adversary_3d",
                     .inputs = {{few}},
                     .f = [flat](const Inputs& v) { return answer_distance(v[0], teacher(v[0]), flat); }});
  cases.push_back({.name = "ss_net/separation",
                   .inputs = {{{7, 3}}, {{7, 2}}, {{2, 4, 3}}, {{2, 4}}},
                   .f = [](const Inputs& v) { return class_distances(v[0], ops::square(v[1]), v[2], ops::square(v[3])); }});
  cases.push_back({.name = "action/distillation", .inputs = {{{2, 3, 4}}}, .f = [](const Inputs& v) {
                     return relational_distillation(v[0], fixed(v[0].value(), {2, 3, 4}, "teacher"),
                                                    fixed(v[0].value(), {2, 5, 4}, "cache"), 0.5, 0.25);
                   }});
  cases.push_back({.name = "action/cut_mix", .inputs = {{few}}, .f = [](const Inputs& v) {
                     return confident_cross_entropy(
                         v[0], ops::softmax(Variable(fixed(v[0].value(), few, "teacher", normal(8)))).value());
                   }});
  cases.push_back({.name = "arco/divergence", .inputs = {{few}}, .f = [](const Inputs& v) {
                     return masked_divergence(v[0], teacher(v[0]), fixed(v[0].value(), {2, 1, 2, 3}, "mask", uniform(0, 1)));
                   }});
  cases.push_back({.name = "arco/nearest", .inputs = {{{3, 4}}}, .f = [](const Inputs& v) {
                     return nearest_neighbour_loss(v[0], fixed(v[0].value(), {5, 4}, "cache"),
                                                   constant_like(v[0].value(), {5}, {1, 1, 0, 1, 1}), 2);
                   }});
}

}  // namespace

const std::vector<OpCase>& loss_cases() {
  static const std::vector<OpCase> all = [] {
    std::vector<OpCase> cases;
    add_consistency(cases), add_paper(cases), add_baselines(cases);
    return cases;
  }();
  return all;
}

}  // namespace sagcl::tests
