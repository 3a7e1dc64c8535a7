#include "tests/cases/kernel_cases.h"

#include <cmath>

#include "engine/random.h"
#include "ops/backend.h"

namespace sagcl::tests {

using engine::Dtype;
using engine::Shape;
using engine::Tensor;

namespace {

using Tensors = std::vector<Tensor>;

template <class F>
Tensor drawn(const Shape& shape, Dtype dtype, const char* name, F value) {
  engine::Generator random(11, name);
  std::vector<double> values(std::size_t(shape.size()));
  for (double& v : values) v = double(float(value(random)));
  return Tensor::of(shape, values).to(dtype);
}

ops::Backend& at(const Tensor& t) { return ops::backend(t.device()); }

void add_selection(std::vector<KernelCase>& cases) {
  const struct {
    const char* name;
    std::int64_t rows, n, skip;
    std::vector<double> q;
  } quantiles[] = {{"short rows", 5, 1001, 0, {0.25, 0.5}},
                   {"long rows", 2, 50021, 3, {0.005, 0.995, 0.5, 0, 1}},
                   {"skip", 3, 256, 16, {0.5}},
                   {"one left", 2, 9, 8, {0.3, 0.9}}};
  for (const auto& c : quantiles)
    cases.push_back({fmt::format("quantiles, {}", c.name),
                     [c](Dtype dtype) -> Tensors {
                       Tensor x = normal_values({c.rows, c.n}, Dtype::f64, "x", 3);
                       double* v = x.data<double>();
                       for (std::int64_t i = 0; i < x.size(); i += 7) v[i] = double(std::int64_t(v[i]));  // ties
                       return {x.to(dtype)};
                     },
                     [c](const Tensors& in) -> Tensors {
                       Tensor y = empty({c.rows, std::int64_t(c.q.size())}, in[0].dtype(), in[0]);
                       at(y).quantiles(c.skip, c.q, in[0], y);
                       return {y};
                     }});
  cases.push_back(
      {"unit_range",
       [](Dtype dtype) -> Tensors {
         return {normal_values({2, 301}, dtype, "x"), Tensor::of<double>({2, 2}, {-1, 1.5, 0.25, 0.25}).to(dtype)};
       },
       [](const Tensors& in) -> Tensors {
         Tensor y = Tensor::empty_like(in[0]);
         at(y).unit_range(in[0], in[1], y);
         return {y};
       }});
  cases.push_back({"choose",
                   [](Dtype dtype) -> Tensors {
                     return {integers({3, 2, 3, 4}, 2, "mask").to(Dtype::f32), normal_values({3, 2, 3, 4, 5}, dtype, "a"),
                             normal_values({3, 2, 3, 4, 5}, dtype, "b"), integers({3, 2, 3, 4}, 9, "labels")};
                   },
                   [](const Tensors& in) -> Tensors {
                     Tensor y = Tensor::empty_like(in[1]), labels = Tensor::empty_like(in[3]);
                     at(y).choose(in[0], in[1], in[2], y);
                     at(y).choose(in[0], in[3], labels.zeros_like(in[3]), labels);
                     return {y, labels};
                   }});
  cases.push_back({"one_hot",
                   [](Dtype dtype) -> Tensors {
                     return {integers({2, 1, 5, 7}, 4, "labels"), Tensor::zeros({1}, dtype)};
                   },
                   [](const Tensors& in) -> Tensors {
                     Tensor y = empty({2, 1, 5, 7, 3}, in[1].dtype(), in[0]);
                     at(y).one_hot(in[0], y);
                     return {y};
                   }});
  cases.push_back({"diagonal",
                   [](Dtype dtype) -> Tensors {
                     return {normal_values({3, 17, 17}, dtype, "a")};
                   },
                   [](const Tensors& in) -> Tensors {
                     Tensor y = empty({3, 17}, in[0].dtype(), in[0]);
                     at(y).diagonal(in[0], y);
                     return {y};
                   }});
  cases.push_back({"below",
                   [](Dtype dtype) -> Tensors {
                     return {normal_values({4, 9}, dtype, "x"), number(0.1)};
                   },
                   [](const Tensors& in) -> Tensors {
                     Tensor y = empty({4, 9, 3}, in[0].dtype(), in[0]);
                     at(y).below(in[0], in[1], y);
                     return {y};
                   }});
  cases.push_back({"add_noise",
                   [](Dtype dtype) -> Tensors {
                     return {normal_values({3, 1111}, dtype, "x")};
                   },
                   [](const Tensors& in) -> Tensors {
                     Tensor y = Tensor::empty_like(in[0]);
                     at(y).add_noise(some_key(), 0.1, 0.2, in[0], y);
                     return {y};
                   }});
  cases.push_back({"uniform",
                   [](Dtype dtype) -> Tensors {
                     return {normal_values({3, 1111}, dtype, "x")};
                   },
                   [](const Tensors& in) -> Tensors {
                     Tensor y = Tensor::empty_like(in[0]);
                     at(y).uniform(some_key(), -0.3, 0.3, y);
                     return {y};
                   }});
  cases.push_back({"draw_rows",
                   [](Dtype dtype) -> Tensors {
                     return {uniform_values({1111, 3}, dtype, "weight"), uniform_values({3, 77}, dtype, "u")};
                   },
                   [](const Tensors& in) -> Tensors {
                     Tensor sums = empty({3, 5}, Dtype::f64, in[0]), picks = empty({3, 77}, Dtype::i32, in[0]);
                     at(picks).draw_rows(in[0], in[1], sums, picks);
                     return {picks};
                   }});
  cases.push_back({"scale_by",
                   [](Dtype dtype) -> Tensors {
                     return {number(0.3), normal_values({3, 701}, dtype, "x")};
                   },
                   [](const Tensors& in) -> Tensors {
                     Tensor y = Tensor::empty_like(in[1]);
                     at(y).scale_by(in[0], in[1], y);
                     return {y};
                   }});
  cases.push_back({"close_unless_finite",
                   [](Dtype dtype) -> Tensors {
                     Tensor bad = normal_values({1000}, Dtype::f64, "x");
                     bad.data<double>()[700] = INFINITY;
                     return {normal_values({1000}, dtype, "x"), bad.to(dtype), number(1)};
                   },
                   [](const Tensors& in) -> Tensors {
                     Tensor open = in[2].clone(), closed = in[2].clone();
                     at(open).close_unless_finite(in[0], open);
                     at(open).close_unless_finite(in[1], closed);
                     return {open, closed};
                   }});
  cases.push_back({"top_rows",
                   [](Dtype dtype) -> Tensors {
                     Tensor score = integers({311, 3}, 40, "score").to(dtype);  // many ties
                     return {score, uniform_values({311, 3}, dtype, "weight")};
                   },
                   [](const Tensors& in) -> Tensors {
                     Tensor picks = empty({3, 20}, Dtype::i32, in[0]), counted = empty({3}, Dtype::i32, in[0]);
                     at(picks).top_rows(0.95, in[0], in[1], picks, counted);
                     return {picks, counted};
                   }});
}

void add_updates(std::vector<KernelCase>& cases) {
  for (const double open : {0.0, 1.0})
    cases.push_back({fmt::format("updates, open {}", open),
                     [open](Dtype dtype) -> Tensors {
                       return {normal_values({40011}, dtype, "p"),
                               normal_values({40011}, dtype, "g"),
                               uniform_values({40011}, dtype, "v"),
                               Tensor::of<double>({3}, {0.01, 1.3, 0.98}),
                               number(0.9),
                               number(open)};
                     },
                     [](const Tensors& in) -> Tensors {
                       const ops::AdamSlot a{in[0].clone(), in[1], in[1].clone(), in[2].clone()};
                       const ops::SgdSlot s{in[0].clone(), in[1], in[2].clone()};
                       Tensor teacher = in[1].clone();
                       at(teacher).adam({.weight_decay = 0.01}, in[3], in[5], {a});
                       at(teacher).sgd({}, in[4], in[5], {s});
                       at(teacher).average(in[4], in[5], {{teacher, in[0]}});
                       return {a.p, a.m, a.v, s.p, s.v, teacher};
                     }});
}

}  // namespace

Tensor normal_values(const Shape& shape, Dtype dtype, const char* name, double scale, double offset) {
  return drawn(shape, dtype, name, [&](engine::Generator& random) { return offset + scale * random.normal(); });
}

Tensor uniform_values(const Shape& shape, Dtype dtype, const char* name) {
  return drawn(shape, dtype, name, [](engine::Generator& random) { return random.uniform(); });
}

Tensor integers(const Shape& shape, std::int64_t below, const char* name) {
  engine::Generator random(12, name);
  std::vector<std::int32_t> values(std::size_t(shape.size()));
  for (std::int32_t& v : values) v = std::int32_t(random.integer(below));
  return Tensor::of(shape, values);
}

const std::vector<KernelCase>& kernel_cases() {
  static const std::vector<KernelCase> cases = [] {
    std::vector<KernelCase> all;
    add_selection(all), add_paper_cases(all), add_updates(all);
    return all;
  }();
  return cases;
}

}  // namespace sagcl::tests
