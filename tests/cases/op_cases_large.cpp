#include "ops/conv.h"
#include "ops/distance.h"
#include "ops/dropout.h"
#include "ops/layout.h"
#include "ops/matmul.h"
#include "ops/norm.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "ops/resize.h"
#include "ops/softmax.h"
#include "tests/cases/op_cases.h"

namespace sagcl::tests {

using Inputs = std::vector<Variable>;

void add_large_cases(std::vector<OpCase>& cases) {
  for (std::int64_t c : {1, 2, 3, 16, 70})  // 16, 70: among many values, one within rounding of 0 would cross the kink
    cases.push_back({fmt::format("batch_norm of {} channels", c),
                     {{{2, 11, 33, 35, c}, normal(2, 1)}, {{c}, normal(0.25, 1)}, {{c}}},
                     [c](const Inputs& v) {
                       const Shape shape{v[0].shape().back()};
                       const Dtype dtype = v[0].value().dtype();
                       ops::RunningStatistics running{Tensor::zeros(shape, dtype), Tensor::full(shape, 1, dtype)};
                       return ops::batch_norm(v[0], v[1], v[2], running, {.slope = c < 16 ? 0.01 : 1});
                     },
                     1e-7,
                     1e-4});
  cases.push_back({"group_norm",
                   {{{3, 11, 33, 35, 12}, normal(2, 1)}, {{12}, normal(0.25, 1)}, {{12}}},
                   [](const Inputs& v) { return ops::group_norm(v[0], v[1], v[2], 4, {.slope = 0.1}); },
                   1e-7,
                   1e-4});
  cases.push_back({"sum_axis", {{{50021, 3}}}, [](const Inputs& v) { return ops::sum_axis(v[0], 0); }, 1e-7, 1e-4});
  cases.push_back({"mean", {{{150001}}}, [](const Inputs& v) { return ops::mean(v[0]); }, 1e-7, 1e-3});
  for (std::int64_t c : {2, 3, 4, 5}) {
    const OpInput scores{{20011, c}, normal(2)};
    cases.push_back({fmt::format("softmax of {}", c), {scores}, [](const Inputs& v) { return ops::softmax(v[0]); }});
    cases.push_back({fmt::format("log_softmax of {}", c), {scores}, [](const Inputs& v) { return ops::log_softmax(v[0]); }});
  }
  cases.push_back({"max_pool", {{{2, 9, 51, 53, 7}, distinct(1e-3)}}, [](const Inputs& v) {
                     return ops::max_pool(v[0], {{{1, 2, 2}}, {{2, 2, 2}}});
                   }});
  cases.push_back({"resize", {{{2, 5, 31, 33, 7}}}, [](const Inputs& v) { return ops::resize(v[0], {{{7, 60, 50}}}); }});
  cases.push_back({"dropout", {{{100003}}}, [](const Inputs& v) { return ops::dropout(v[0], 0.3, {1, 2, 3, 4}); }});
  cases.push_back({"concat", {{{20000, 5}}, {{20000, 3}}}, [](const Inputs& v) { return ops::concat(v, 1); }});
  cases.push_back({"concat of planes", {{{1, 3, 101, 103, 8}}, {{1, 7, 101, 103, 8}}}, [](const Inputs& v) {
                     return ops::concat(v, 1);
                   }});
  for (const ops::Metric metric : {ops::Metric::squared_l2, ops::Metric::l1})
    cases.push_back({metric == ops::Metric::l1 ? "distance, l1" : "distance, squared_l2",
                     {{{2, 9, 1100}, distinct(1e-3)}, {{2, 7, 1100}, distinct(1.3e-3)}},
                     [metric](const Inputs& v) { return ops::pairwise_distance(v[0], v[1], metric); }});
  cases.push_back({"gaussian_kernel", {{{2, 100, 91}, uniform(0, 2)}}, [](const Inputs& v) {
                     return ops::gaussian_kernel(v[0], constant_like(v[0].value(), {2}, {0.25, 1.5}));
                   }});
  cases.push_back({"matmul",
                   {{{70, 1100}}, {{300, 1100}}},
                   [](const Inputs& v) { return ops::matmul(v[0], v[1], {.transpose_b = true}); },
                   1e-7,
                   1e-4});
  cases.push_back({"matmul, outer products",
                   {{{1100, 21}}, {{1100, 48}}},
                   [](const Inputs& v) { return ops::matmul(v[0], v[1], {.transpose_a = true}); },
                   1e-7,
                   1e-4});
  cases.push_back({"conv",
                   {{{1, 9, 25, 27, 16}}, {{16, 3, 3, 3, 16}, normal(0.1)}, {{16}}},
                   [](const Inputs& v) {
                     return ops::conv(v[0], v[1], v[2], {{{1, 1, 1}}, {{1, 1, 1}}});
                   },
                   1e-7,
                   1e-4});
}

}  // namespace sagcl::tests
