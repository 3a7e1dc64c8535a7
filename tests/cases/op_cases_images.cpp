#include "ops/activation.h"
#include "ops/arithmetic.h"
#include "ops/conv.h"
#include "ops/cross_entropy.h"
#include "ops/dropout.h"
#include "ops/layout.h"
#include "ops/norm.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "ops/resize.h"
#include "ops/softmax.h"
#include "tests/cases/op_cases.h"

namespace sagcl::tests {
namespace {

using engine::Extents;
using Inputs = std::vector<Variable>;

const Shape volume{2, 3, 4, 5, 3}, image{2, 1, 6, 7, 4};

void add_pointwise(std::vector<OpCase>& cases) {
  const Draw positive = uniform(0.5, 2.0);
  cases.push_back({"add", {{volume}, {volume}}, [](const Inputs& v) { return ops::add(v[0], v[1]); }});
  cases.push_back({"add/with_itself", {{volume}}, [](const Inputs& v) { return ops::add(v[0], v[0]); }});
  cases.push_back({"subtract", {{volume}, {volume}}, [](const Inputs& v) { return ops::subtract(v[0], v[1]); }});
  cases.push_back({"multiply", {{volume}, {volume}}, [](const Inputs& v) { return ops::multiply(v[0], v[1]); }});
  cases.push_back({"multiply/with_itself", {{volume}}, [](const Inputs& v) { return ops::multiply(v[0], v[0]); }});
  cases.push_back({"divide", {{volume}, {volume, positive}}, [](const Inputs& v) { return ops::divide(v[0], v[1]); }});
  cases.push_back({"scale", {{volume}}, [](const Inputs& v) { return ops::scale(v[0], -1.75); }});
  cases.push_back({"add_scalar", {{volume}}, [](const Inputs& v) { return ops::add_scalar(v[0], 0.375); }});
  cases.push_back({"exp", {{volume}}, [](const Inputs& v) { return ops::exp(v[0]); }});
  cases.push_back({"log", {{volume, positive}}, [](const Inputs& v) { return ops::log(v[0]); }});
  cases.push_back({"sqrt", {{volume, positive}}, [](const Inputs& v) { return ops::sqrt(v[0]); }});
  cases.push_back({"square", {{volume}}, [](const Inputs& v) { return ops::square(v[0]); }});
  cases.push_back({"relu", {{volume, distinct()}}, [](const Inputs& v) { return ops::relu(v[0]); }});
  cases.push_back({"leaky_relu", {{volume, distinct()}}, [](const Inputs& v) { return ops::leaky_relu(v[0], 0.01); }});
  cases.push_back({"sigmoid", {{volume}}, [](const Inputs& v) { return ops::sigmoid(v[0]); }});
  cases.push_back({"tanh", {{volume}}, [](const Inputs& v) { return ops::tanh(v[0]); }});
}

void add_reductions(std::vector<OpCase>& cases) {
  cases.push_back({"sum", {{volume}}, [](const Inputs& v) { return ops::sum(v[0]); }});
  cases.push_back({"mean", {{volume}}, [](const Inputs& v) { return ops::mean(v[0]); }});
  cases.push_back({"sum_axis/first", {{volume}}, [](const Inputs& v) { return ops::sum_axis(v[0], 0); }});
  cases.push_back({"sum_axis/last", {{volume}}, [](const Inputs& v) { return ops::sum_axis(v[0], -1); }});
  cases.push_back({"mean_axis/middle", {{volume}}, [](const Inputs& v) { return ops::mean_axis(v[0], 2); }});
  cases.push_back({"sum/long", {{{40000}}}, [](const Inputs& v) { return ops::sum(v[0]); }, 1e-7, 1e-4});
  cases.push_back({"global_average_pool", {{volume}}, [](const Inputs& v) { return ops::global_average_pool(v[0]); }});
  for (std::int64_t c : {1, 2, 3, 4, 7}) {
    cases.push_back(
        {fmt::format("softmax/{}", c), {{{2, 3, 5, c}, normal(2)}}, [](const Inputs& v) { return ops::softmax(v[0]); }});
    cases.push_back({fmt::format("most_likely/{}", c), {{{2, 3, 5, c}, distinct()}}, [](const Inputs& v) {
                       return ops::cross_entropy(v[0], ops::most_likely(v[0].value(), 0.2));
                     }});
    cases.push_back({fmt::format("log_softmax/{}", c), {{{2, 3, 5, c}, normal(2)}}, [](const Inputs& v) {
                       return ops::log_softmax(v[0]);
                     }});
  }
  for (std::int64_t c : {2, 3, 4}) {  // voxels in fours: kernels of their own on the GPU
    const Shape fours{1, 3, 4, c};
    cases.push_back(
        {fmt::format("softmax/{}_in_fours", c), {{fours, normal(2)}}, [](const Inputs& v) { return ops::softmax(v[0]); }});
    cases.push_back({fmt::format("log_softmax/{}_in_fours", c), {{fours, normal(2)}}, [](const Inputs& v) {
                       return ops::log_softmax(v[0]);
                     }});
  }
}

void add_convolutions(std::vector<OpCase>& cases) {
  struct Case {
    const char* name;
    Shape x, w;
    bool bias;
    ops::ConvSpec spec;
  };
  const ops::ConvSpec same{{{1, 1, 1}}, {{1, 1, 1}}}, same_2d{{{1, 1, 1}}, {{0, 1, 1}}}, halve{{{2, 2, 2}}, {{0, 0, 0}}},
      halve_2d{{{1, 2, 2}}, {{0, 0, 0}}};
  for (const Case& c : {Case{"3x3x3", {2, 4, 3, 5, 3}, {4, 3, 3, 3, 3}, true, same},
                        Case{"3x3x3_no_bias", {1, 3, 3, 4, 16}, {5, 3, 3, 3, 16}, false, same},
                        Case{"3x3_image", {2, 1, 6, 5, 4}, {3, 1, 3, 3, 4}, true, same_2d},
                        Case{"1x1x1", {2, 3, 2, 4, 6}, {2, 1, 1, 1, 6}, true, {}},
                        Case{"2x2x2_stride_2_odd", {1, 5, 4, 7, 2}, {3, 2, 2, 2, 2}, true, halve},
                        Case{"4x4x4_stride_2_padding_1", {1, 5, 6, 4, 2}, {2, 4, 4, 4, 2}, true, {{{2, 2, 2}}, {{1, 1, 1}}}},
                        Case{"1x2x2_stride_1x2x2", {1, 3, 4, 6, 2}, {4, 1, 2, 2, 2}, true, {{{1, 2, 2}}, {{0, 0, 0}}}},
                        Case{"mixed_strides", {1, 4, 5, 6, 2}, {2, 3, 1, 2, 2}, true, {{{1, 3, 2}}, {{2, 0, 1}}}}}) {
    OpCase entry{std::string("conv/") + c.name, {{c.x}, {c.w, normal(0.5)}}, {}};
    if (c.bias) entry.inputs.push_back({{c.w[0]}});
    entry.f = [spec = c.spec](const Inputs& v) { return ops::conv(v[0], v[1], v.size() > 2 ? v[2] : Variable(), spec); };
    cases.push_back(entry);
  }
  for (const Case& c : {Case{"2x2x2_stride_2", {2, 2, 3, 2, 5}, {5, 2, 2, 2, 3}, true, halve},
                        Case{"1x2x2_stride_1x2x2", {1, 3, 2, 3, 4}, {4, 1, 2, 2, 2}, true, {{{1, 2, 2}}, {{0, 0, 0}}}},
                        Case{"2x2_image", {2, 1, 3, 4, 4}, {4, 1, 2, 2, 2}, true, halve_2d},
                        Case{"no_bias", {1, 2, 2, 2, 16}, {16, 2, 2, 2, 1}, false, halve},
                        Case{"3x3x3_overlapping", {1, 3, 2, 4, 2}, {2, 3, 3, 3, 2}, true, {{{2, 1, 2}}, {{1, 1, 0}}}}}) {
    OpCase entry{std::string("conv_transposed/") + c.name, {{c.x}, {c.w, normal(0.5)}}, {}};
    if (c.bias) entry.inputs.push_back({{c.w[4]}});
    entry.f = [spec = c.spec](const Inputs& v) {
      return ops::conv_transposed(v[0], v[1], v.size() > 2 ? v[2] : Variable(), spec);
    };
    cases.push_back(entry);
  }
}

void add_pooling(std::vector<OpCase>& cases) {
  const Shape odd{2, 5, 4, 7, 3};
  cases.push_back({"max_pool/2x2", {{image, distinct()}}, [](const Inputs& v) {
                     return ops::max_pool(v[0], {{{1, 2, 2}}, {{1, 2, 2}}});
                   }});
  cases.push_back({"max_pool/2x2x2_odd", {{odd, distinct()}}, [](const Inputs& v) { return ops::max_pool(v[0], {}); }});
  cases.push_back({"max_pool/overlapping", {{odd, distinct()}}, [](const Inputs& v) {
                     return ops::max_pool(v[0], {{{3, 2, 3}}, {{1, 2, 2}}});
                   }});
  cases.push_back({"average_pool/2x2x2_odd", {{odd}}, [](const Inputs& v) { return ops::average_pool(v[0], {}); }});
  cases.push_back({"average_pool/overlapping", {{odd}}, [](const Inputs& v) {
                     return ops::average_pool(v[0], {{{3, 1, 3}}, {{2, 3, 1}}});
                   }});
  struct Case {
    const char* name;
    Shape x;
    ops::ResizeSpec spec;
  };
  using ops::Interpolation;
  for (const Case& c : {Case{"bilinear_x2_aligned", {2, 1, 4, 5, 3}, {{{1, 8, 10}}, Interpolation::linear, true}},
                        Case{"bilinear_x2", {2, 1, 4, 5, 16}, {{{1, 8, 10}}, Interpolation::linear, false}},
                        Case{"trilinear_x2", {1, 2, 3, 4, 2}, {{{4, 6, 8}}, Interpolation::linear, false}},
                        Case{"bilinear_x3_aligned_wide", {1, 1, 3, 4, 8}, {{{1, 9, 12}}, Interpolation::linear, true}},
                        Case{"trilinear_x2_wide", {1, 2, 3, 4, 4}, {{{4, 6, 8}}, Interpolation::linear, false}},
                        Case{"trilinear_shrinking_wide", {1, 5, 4, 6, 4}, {{{2, 3, 2}}, Interpolation::linear, false}},
                        Case{"trilinear_shrinking", {1, 7, 6, 9, 2}, {{{3, 4, 2}}, Interpolation::linear, false}},
                        Case{"trilinear_uneven_aligned", {2, 3, 5, 1, 2}, {{{7, 3, 4}}, Interpolation::linear, true}},
                        Case{"nearest_x2", {1, 2, 3, 2, 3}, {{{4, 6, 4}}, Interpolation::nearest, false}},
                        Case{"nearest_uneven", {1, 5, 3, 4, 2}, {{{3, 7, 4}}, Interpolation::nearest, false}}})
    cases.push_back(
        {std::string("resize/") + c.name, {{c.x}}, [spec = c.spec](const Inputs& v) { return ops::resize(v[0], spec); }});
}

/// Running statistics that every evaluation starts with afresh.
ops::RunningStatistics running_like(const Tensor& x) {
  std::vector<double> mean, variance;
  for (std::int64_t c = 0; c < x.shape().back(); ++c)
    mean.push_back(0.25 * double(c) - 0.5), variance.push_back(0.5 + 0.25 * double(c));
  const Shape shape{x.shape().back()};
  return {constant_like(x, shape, mean), constant_like(x, shape, variance)};
}

void add_norms(std::vector<OpCase>& cases) {
  const Draw factor = normal(0.25, 1);
  for (double slope : {1.0, 0.0, 0.01})
    for (bool training : {true, false})
      for (const Shape& x : {volume, Shape{3, 1, 4, 5, 16}})
        cases.push_back(
            {fmt::format("batch_norm/{}_slope_{}_channels_{}", training ? "training" : "evaluation", slope, x.back()),
             {{x, normal(2, 1)}, {{x.back()}, factor}, {{x.back()}, normal(0.7)}},
             [=](const Inputs& v) {
               ops::RunningStatistics running = running_like(v[0].value());
               return ops::batch_norm(v[0], v[1], v[2], running, {.slope = slope, .training = training});
             },
             1e-7,
             3e-5,
             false,
             1e-5});
  cases.push_back({"instance_norm",
                   {{volume, normal(2, 1)}, {{3}, factor}, {{3}, normal(0.7)}},
                   [](const Inputs& v) { return ops::instance_norm(v[0], v[1], v[2], {.slope = 0.2}); },
                   1e-7,
                   3e-5,
                   false,
                   1e-5});
  for (std::int64_t groups : {1, 2, 3})
    cases.push_back({fmt::format("group_norm/{}", groups),
                     {{{2, 2, 3, 2, 6}, normal(2, 1)}, {{6}, factor}, {{6}}},
                     [=](const Inputs& v) { return ops::group_norm(v[0], v[1], v[2], groups, {.slope = 0}); },
                     1e-7,
                     3e-5,
                     false,
                     1e-5});
  // recipes: the convolution saves x, not the norm's output, and makes it again in the backward pass
  cases.push_back({"batch_norm/then_conv",
                   {{{2, 3, 3, 3, 2}}, {{2}, factor}, {{2}}, {{3, 3, 3, 3, 2}}},
                   [](const Inputs& v) {
                     ops::RunningStatistics running = running_like(v[0].value());
                     const Variable y = ops::batch_norm(v[0], v[1], v[2], running, {.slope = 0.01});
                     return ops::conv(ops::concat({ops::add(y, y)}, -1), v[3], {}, {{{1, 1, 1}}, {{1, 1, 1}}});
                   },
                   1e-7,
                   3e-5,
                   false,
                   1e-5});
}

void add_layout(std::vector<OpCase>& cases) {
  const engine::RandomKey key = engine::Generator(7, "op cases").next_key();
  cases.push_back({"dropout", {{volume}}, [=](const Inputs& v) { return ops::dropout(v[0], 0.3, key); }});
  cases.push_back(
      {"channel_dropout", {{{4, 2, 3, 2, 8}}}, [=](const Inputs& v) { return ops::channel_dropout(v[0], 0.5, key); }});
  cases.push_back({"reshape", {{volume}}, [](const Inputs& v) { return ops::reshape(v[0], {6, 20, 3}); }});
  cases.push_back({"concat/channels", {{volume}, {{2, 3, 4, 5, 2}}, {{2, 3, 4, 5, 1}}}, [](const Inputs& v) {
                     return ops::concat(v, -1);
                   }});
  cases.push_back({"concat/first_axis", {{{2, 5}}, {{3, 5}}}, [](const Inputs& v) { return ops::concat(v, 0); }});
  cases.push_back({"concat/with_itself", {{volume}}, [](const Inputs& v) { return ops::concat({v[0], v[0]}, 2); }});
  cases.push_back({"slice", {{volume}}, [](const Inputs& v) { return ops::slice(v[0], 3, 1, 3); }});
  cases.push_back({"pad", {{volume}}, [](const Inputs& v) { return ops::pad(v[0], {{1, 0, 2}}, {{0, 3, 1}}); }});
  cases.push_back({"crop", {{volume}}, [](const Inputs& v) { return ops::crop(v[0], {{1, 0, 2}}, {{2, 3, 2}}); }});
  cases.push_back({"patches", {{{2, 4, 2, 6, 3}}}, [](const Inputs& v) { return ops::patches(v[0], {{2, 1, 3}}); }});
}

}  // namespace

void add_image_cases(std::vector<OpCase>& cases) {
  add_pointwise(cases);
  add_reductions(cases);
  add_convolutions(cases);
  add_pooling(cases);
  add_norms(cases);
  add_layout(cases);
}

}  // namespace sagcl::tests
