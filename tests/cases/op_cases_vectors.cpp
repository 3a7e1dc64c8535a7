#include "ops/cross_entropy.h"
#include "ops/dice.h"
#include "ops/distance.h"
#include "ops/gather.h"
#include "ops/matmul.h"
#include "ops/nuclear_norm.h"
#include "tests/cases/op_cases.h"

namespace sagcl::tests {

namespace {

using Inputs = std::vector<Variable>;

/// Labels 0, 1, …, classes - 1, 0, … with every fifth voxel not counted if `some_ignored`.
std::vector<std::int32_t> cyclic_labels(std::int64_t voxels, int classes, bool some_ignored) {
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < voxels; ++i)
    labels.push_back(some_ignored && i % 5 == 3 ? -1 : std::int32_t((i * 7 + i / 3) % classes));
  return labels;
}

void add_products(std::vector<OpCase>& cases) {
  const auto product = [&](const std::string& name, const Shape& a, const Shape& b, bool ta, bool tb) {
    cases.push_back({.name = "matmul/" + name, .inputs = {{a}, {b}}, .f = [ta, tb](const Inputs& v) {
                       return ops::matmul(v[0], v[1], {.transpose_a = ta, .transpose_b = tb});
                     }});
  };
  product("nn", {5, 7}, {7, 4}, false, false);
  product("nt", {5, 7}, {4, 7}, false, true);
  product("tn", {7, 5}, {7, 4}, true, false);
  product("tn_whole_vector", {20, 3}, {20, 8}, true, false);
  product("tt", {7, 5}, {4, 7}, true, true);
  product("batched", {3, 5, 7}, {3, 7, 4}, false, false);
  product("batched_tt", {3, 7, 5}, {3, 4, 7}, true, true);
  product("one_row", {1, 9}, {9, 6}, false, false);
  product("many_rows", {600, 9}, {9, 6}, false, false);
  product("many_columns", {6, 9}, {600, 9}, false, true);
  cases.push_back({.name = "linear/bias", .inputs = {{{5, 7}}, {{4, 7}}, {{4}}}, .f = [](const Inputs& v) {
                     return ops::linear(v[0], v[1], v[2]);
                   }});
  cases.push_back({.name = "linear/no_bias", .inputs = {{{5, 7}}, {{4, 7}}}, .f = [](const Inputs& v) {
                     return ops::linear(v[0], v[1], {});
                   }});
}

void add_rows(std::vector<OpCase>& cases) {
  cases.push_back({.name = "gather/repeats", .inputs = {{{6, 2, 3}}}, .f = [](const Inputs& v) {
                     return ops::gather(v[0], labels_like(v[0].value(), {8}, {5, 0, 2, 2, 0, 2, 4, 5}));
                   }});
  cases.push_back(
      {.name = "l2_normalise/rows", .inputs = {{{5, 7}}}, .f = [](const Inputs& v) { return ops::l2_normalise(v[0]); }});
  cases.push_back({.name = "l2_normalise/below_eps", .inputs = {{{3, 4}, normal(0.01)}}, .f = [](const Inputs& v) {
                     return ops::l2_normalise(v[0], 0.5);
                   }});
  for (const ops::Metric metric : {ops::Metric::squared_l2, ops::Metric::l1}) {
    const std::string name = metric == ops::Metric::l1 ? "l1" : "squared_l2";
    const auto f = [metric](const Inputs& v) { return ops::pairwise_distance(v[0], v[1], metric); };
    cases.push_back(
        {.name = "distance/" + name, .inputs = {{{2, 4, 5}, distinct(0.1)}, {{2, 3, 5}, distinct(0.13)}}, .f = f});
    cases.push_back({.name = "distance/" + name + "_long",
                     .inputs = {{{1, 2, 1500}, distinct(0.001)}, {{1, 3, 1500}, distinct(0.0013)}},
                     .f = f});
  }
  cases.push_back({.name = "distance/itself", .inputs = {{{2, 4, 5}}}, .f = [](const Inputs& v) {
                     return ops::pairwise_distance(v[0], v[0], ops::Metric::squared_l2);
                   }});
  cases.push_back({.name = "gaussian_kernel/two_graphs", .inputs = {{{2, 4, 3}, uniform(0, 2)}}, .f = [](const Inputs& v) {
                     return ops::gaussian_kernel(v[0], constant_like(v[0].value(), {2}, {0.25, 1.5}));
                   }});
}

void add_matrices(std::vector<OpCase>& cases) {
  const auto nuclear = [&](const std::string& name, const Shape& shape, bool polar) {
    cases.push_back({.name = "nuclear_norm/" + name,
                     .inputs = {{shape}},
                     .f = [polar](const Inputs& v) { return ops::nuclear_norm(v[0], {.polar = polar}); },
                     .f32_tolerance = 1e-4});
  };
  nuclear("square", {3, 5, 5}, false);
  nuclear("wide", {2, 4, 7}, false);
  nuclear("high", {2, 7, 3}, false);
  nuclear("polar_square", {3, 5, 5}, true);
  nuclear("polar_wide", {2, 4, 7}, true);
  nuclear("polar_high", {2, 7, 3}, true);
  nuclear("larger", {1, 90, 66}, false);  // a GPU has ways of its own for at most 64 rows or columns
  nuclear("polar_larger", {1, 66, 90}, true);
  cases.push_back(
      {.name = "trace/two_graphs", .inputs = {{{2, 4, 4}}}, .f = [](const Inputs& v) { return ops::trace(v[0]); }});
}

void add_losses(std::vector<OpCase>& cases) {
  for (int classes : {1, 2, 3, 4, 7}) {
    const std::int64_t n = classes;
    cases.push_back(
        {.name = fmt::format("cross_entropy/{}_classes", classes),
         .inputs = {{{2, 3, 4, 5, n}, normal(2)}},
         .f = [classes](const Inputs& v) {
           return ops::cross_entropy(v[0], labels_like(v[0].value(), {2, 3, 4, 5}, cyclic_labels(120, classes, true)));
         }});
  }
  cases.push_back({.name = "cross_entropy/nothing_counted", .inputs = {{{1, 1, 2, 2, 3}}}, .f = [](const Inputs& v) {
                     return ops::cross_entropy(v[0], labels_like(v[0].value(), {1, 1, 2, 2}, {-1, -1, -1, -1}));
                   }});
  for (std::int64_t classes : {2, 4, 5})
    cases.push_back({.name = fmt::format("soft_cross_entropy/{}_classes", classes),
                     .inputs = {{{1, 3, 4, 5, classes}, normal(2)}},
                     .f = [classes](const Inputs& v) {
                       engine::Generator random(3, "targets");
                       const Shape shape{1, 3, 4, 5, classes};
                       return ops::soft_cross_entropy(v[0],
                                                      constant_like(v[0].value(), shape, probabilities()(shape, random)));
                     }});
  for (bool squared : {true, false})
    for (std::int64_t channels : {2, 4, 5})
      for (std::int64_t first : {0, 1})
        cases.push_back({.name = fmt::format("dice/{}_{}_channels_from_{}", squared ? "squared" : "plain", channels, first),
                         .inputs = {{{2, 3, 4, 5, channels}, probabilities()}},
                         .f = [=](const Inputs& v) {
                           return ops::dice_loss(
                               v[0], labels_like(v[0].value(), {2, 3, 4, 5}, cyclic_labels(120, int(channels), true)),
                               {.squared = squared, .first_channel = first});
                         }});
  for (bool squared : {true, false})
    cases.push_back({.name = squared ? "dice/soft_squared" : "dice/soft_plain",
                     .inputs = {{{1, 3, 4, 5, 3}, probabilities()}},
                     .f = [squared](const Inputs& v) {
                       engine::Generator random(4, "targets");
                       const Shape shape{1, 3, 4, 5, 3};
                       return ops::dice_loss_soft(v[0], constant_like(v[0].value(), shape, probabilities()(shape, random)),
                                                  {.squared = squared});
                     }});
}

}  // namespace

void add_vector_cases(std::vector<OpCase>& cases) {
  add_products(cases);
  add_rows(cases);
  add_matrices(cases);
  add_losses(cases);
}

}  // namespace sagcl::tests
