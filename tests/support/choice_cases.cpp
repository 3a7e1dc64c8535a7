#include "tests/support/choice_cases.h"

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

Tensor uniform_values(const Shape& shape, Dtype dtype, const char* name) {
  return drawn(shape, dtype, name, [](engine::Generator& random) { return random.uniform(); });
}

Tensor integers(const Shape& shape, std::int64_t below, const char* name) {
  engine::Generator random(12, name);
  std::vector<std::int32_t> values(std::size_t(shape.size()));
  for (std::int32_t& v : values) v = std::int32_t(random.integer(below));
  return Tensor::of(shape, values);
}

Tensor empty(const Shape& shape, Dtype dtype, const Tensor& beside) { return Tensor::empty(shape, dtype, beside.device()); }
ops::Backend& at(const Tensor& t) { return ops::backend(t.device()); }
Tensor number(double value) { return Tensor::of<double>({1}, {value}); }

engine::RandomKey some_key() { return engine::Generator(3, "choices").next_key(); }

void add_values(std::vector<ChoiceCase>& cases) {
  const struct { const char* name; std::int64_t rows, n, skip; std::vector<double> q;
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
  cases.push_back({"unit_range",
                   [](Dtype dtype) -> Tensors {
                     return {normal_values({2, 301}, dtype, "x"), Tensor::of<double>({2, 2}, {-1, 1.5, 0.25, 0.25}).to(dtype)};
                   },
                   [](const Tensors& in) -> Tensors {
                     Tensor y = Tensor::empty_like(in[0]);
                     at(y).unit_range(in[0], in[1], y);
                     return {y};
                   }});
  cases.push_back({"one_hot",
                   [](Dtype dtype) -> Tensors { return {integers({2, 1, 5, 7}, 4, "labels"), Tensor::zeros({1}, dtype)}; },
                   [](const Tensors& in) -> Tensors {
                     Tensor y = empty({2, 1, 5, 7, 3}, in[1].dtype(), in[0]);
                     at(y).one_hot(in[0], y);
                     return {y};
                   }});
  cases.push_back({"diagonal", [](Dtype dtype) -> Tensors { return {normal_values({3, 17, 17}, dtype, "a")}; },
                   [](const Tensors& in) -> Tensors {
                     Tensor y = empty({3, 17}, in[0].dtype(), in[0]);
                     at(y).diagonal(in[0], y);
                     return {y};
                   }});
  cases.push_back({"below", [](Dtype dtype) -> Tensors { return {normal_values({4, 9}, dtype, "x"), number(0.1)}; },
                   [](const Tensors& in) -> Tensors {
                     Tensor y = empty({4, 9, 3}, in[0].dtype(), in[0]);
                     at(y).below(in[0], in[1], y);
                     return {y};
                   }});
  cases.push_back({"add_noise", [](Dtype dtype) -> Tensors { return {normal_values({3, 1111}, dtype, "x")}; },
                   [](const Tensors& in) -> Tensors {
                     Tensor y = Tensor::empty_like(in[0]);
                     at(y).add_noise(some_key(), 0.1, 0.2, in[0], y);
                     return {y};
                   }});
  cases.push_back({"scale_by", [](Dtype dtype) -> Tensors { return {number(0.3), normal_values({3, 701}, dtype, "x")}; },
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
}

void add_patches(std::vector<ChoiceCase>& cases) {
  using ops::PatchMean;
  for (const auto& [name, f] : {std::pair("value", PatchMean::value), {"entropy", PatchMean::entropy},
                                {"clamped entropy", PatchMean::clamped_entropy}})
    for (const bool with_image : {false, true})
      cases.push_back({fmt::format("patch_means, {}{}", name, with_image ? " of the image" : ""),
                       [](Dtype dtype) -> Tensors {
                         return {uniform_values({2, 8, 36, 30, 1}, dtype, "x"), uniform_values({2, 8, 36, 30, 3}, dtype, "c")};
                       },
                       [f = f, with_image](const Tensors& in) -> Tensors {
                         Tensor y = empty({2, 2 * 3 * 2, 3}, in[1].dtype(), in[1]);
                         at(y).patch_means(f, {{2, 3, 2}}, with_image ? in[0] : Tensor(), in[1], y);
                         return {y};
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
  cases.push_back({"attended_patches",
                   [](Dtype dtype) -> Tensors {
                     return {normal_values({2, 4, 9, 10, 2}, dtype, "x"), uniform_values({2, 4, 9, 10, 3}, dtype, "c"),
                             integers({3, 4}, 2 * 12, "picks")};
                   },
                   [](const Tensors& in) -> Tensors {
                     Tensor y = empty({12, 2, 3, 5, 2}, in[0].dtype(), in[0]);
                     at(y).attended_patches({{2, 3, 2}}, in[0], in[1], in[2], y);
                     return {y};
                   }});
  cases.push_back({"patch_weights",
                   [](Dtype dtype) -> Tensors {
                     return {uniform_values({2, 8, 30, 28, 3}, dtype, "c"), integers({3, 5}, 2 * 12, "picks")};
                   },
                   [](const Tensors& in) -> Tensors {
                     Tensor w = empty({15, 2 * 3 * 7 * 5}, in[0].dtype(), in[0]);
                     at(w).patch_weights({{2, 3, 2}}, {{3, 7, 5}}, in[0], in[1], w);
                     return {w};
                   }});
}

/// Rings of three classes with 700 slots, not all filled; affinities are finite everywhere.
Tensors ring_inputs(Dtype dtype) {
  return {normal_values({3, 700, 20}, dtype, "keys"), uniform_values({3, 700}, dtype, "affinity"),
          Tensor::of<std::int32_t>({3}, {700, 431, 12}), Tensor::of<std::int32_t>({3}, {699, 431, 12})};
}
ops::KeyRing ring_of(const Tensors& in) { return {in[0].clone(), in[1].clone(), in[2].clone(), in[3].clone()}; }

void add_keys(std::vector<ChoiceCase>& cases) {
  const auto closest = [](const Tensors& in, const ops::KeyRing& ring, std::int64_t n) {
    ops::Closest c{empty({12, n}, Dtype::i32, in[0]), empty({12}, Dtype::i32, in[0]), empty({12}, Dtype::i32, in[0])};
    at(in[0]).closest_keys(ring, in[4], in[5], c);
    return c;
  };
  const auto inputs = [](Dtype dtype) {
    Tensors in = ring_inputs(dtype);
    in.push_back(Tensor::of<double>({1}, {0.25}).to(dtype));
    in.push_back(integers({12, 3 * 700}, 300, "score").to(dtype));  // many ties
    return in;
  };
  for (const std::int64_t n : {1, 60, 1000})
    cases.push_back({fmt::format("closest_keys, {}", n), inputs, [closest, n](const Tensors& in) -> Tensors {
                       const ops::Closest c = closest(in, ring_of(in), n);
                       return {c.slots, c.found, c.allowed};
                     }});
  for (const auto& [name, w] : {std::pair("affinity", ops::MixWeight::affinity), {"half", ops::MixWeight::half},
                                {"random", ops::MixWeight::random}})
    cases.push_back({fmt::format("mixtures, {}", name), inputs, [closest, w = w](const Tensors& in) -> Tensors {
                       Tensor y = empty({12, 11, 20}, in[0].dtype(), in[0]);
                       at(y).mixtures(w, some_key(), ring_of(in), closest(in, ring_of(in), 60), y);
                       return {y};
                     }});
  cases.push_back({"masks and weights",
                   [](Dtype dtype) {
                     Tensors in = ring_inputs(dtype);
                     in.push_back(Tensor::of<std::int32_t>({3}, {4, 0, 2}));
                     return in;
                   },
                   [](const Tensors& in) -> Tensors {
                     Tensor mask = empty({12, 3 * 700}, in[0].dtype(), in[0]), w = empty({12, 12}, in[0].dtype(), in[0]);
                     at(mask).other_classes(ring_of(in), mask);
                     at(w).contrast_weights(500, in[4], ring_of(in), w);
                     return {mask, w};
                   }});
  cases.push_back({"store_keys",
                   [](Dtype dtype) {
                     Tensors in = ring_inputs(dtype);
                     in.insert(in.end(), {normal_values({12, 20}, dtype, "rows"), integers({3, 4}, 50, "picks"),
                                          Tensor::of<std::int32_t>({3}, {4, 3, 0}), uniform_values({50}, dtype, "row affinity"), number(1)});
                     return in;
                   },
                   [](const Tensors& in) -> Tensors {
                     ops::KeyRing ring = ring_of(in);
                     at(in[0]).store_keys(in[4], in[5], in[6], in[7], in[8], ring);
                     return {ring.keys, ring.affinity, ring.count, ring.next};
                   }});
  cases.push_back({"move_threshold",
                   [](Dtype dtype) -> Tensors {
                     return {Tensor::of<double>({1}, {0.9}).to(dtype), Tensor::of<double>({2}, {0.5, 0}).to(dtype), number(1)};
                   },
                   [](const Tensors& in) -> Tensors {
                     Tensor state = in[1].clone();
                     at(state).move_threshold(0.9, true, 0.1, 0.95, in[0], in[2], state);
                     at(state).move_threshold(0.9, true, 0.1, 0.85, in[0], Tensor(), state);
                     return {state};
                   }});
}

void add_updates(std::vector<ChoiceCase>& cases) {
  for (const double open : {0.0, 1.0})
    cases.push_back({fmt::format("updates, open {}", open),
                     [open](Dtype dtype) -> Tensors {
                       return {normal_values({40011}, dtype, "p"), normal_values({40011}, dtype, "g"),
                               uniform_values({40011}, dtype, "v"), Tensor::of<double>({2}, {0.01, 1.3}), number(0.9), number(open)};
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

const std::vector<ChoiceCase>& choice_cases() {
  static const std::vector<ChoiceCase> cases = [] {
    std::vector<ChoiceCase> all;
    add_values(all), add_patches(all), add_keys(all), add_updates(all);
    return all;
  }();
  return cases;
}

}  // namespace sagcl::tests
