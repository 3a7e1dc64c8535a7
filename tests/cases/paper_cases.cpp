#include "semiagcl/kernels/backend.h"
#include "tests/cases/kernel_cases.h"

namespace sagcl::tests {

using engine::Dtype;
using engine::Shape;
using engine::Tensor;
using namespace semiagcl;

namespace {

using Tensors = std::vector<Tensor>;

PaperBackend& paper_at(const Tensor& t) { return paper_backend(t.device()); }
void add_patches(std::vector<KernelCase>& cases) {
  for (const auto& [name, f] : {std::pair("value", PatchMean::value),
                                {"entropy", PatchMean::entropy},
                                {"clamped entropy", PatchMean::clamped_entropy}})
    for (const bool with_image : {false, true})
      cases.push_back(
          {fmt::format("patch_means, {}{}", name, with_image ? " of the image" : ""),
           [](Dtype dtype) -> Tensors {
             return {uniform_values({2, 8, 36, 30, 1}, dtype, "x"), uniform_values({2, 8, 36, 30, 3}, dtype, "c")};
           },
           [f = f, with_image](const Tensors& in) -> Tensors {
             Tensor y = empty({2, 2 * 3 * 2, 3}, in[1].dtype(), in[1]);
             paper_at(y).patch_means(f, {{2, 3, 2}}, with_image ? in[0] : Tensor(), in[1], y);
             return {y};
           }});
  cases.push_back({"attended_patches",
                   [](Dtype dtype) -> Tensors {
                     return {normal_values({2, 4, 9, 10, 2}, dtype, "x"), uniform_values({2, 4, 9, 10, 3}, dtype, "c"),
                             integers({3, 4}, 2 * 12, "picks")};
                   },
                   [](const Tensors& in) -> Tensors {
                     Tensor y = empty({12, 2, 3, 5, 2}, in[0].dtype(), in[0]);
                     paper_at(y).attended_patches({{2, 3, 2}}, in[0], in[1], in[2], y);
                     return {y};
                   }});
  cases.push_back({"patch_weights",
                   [](Dtype dtype) -> Tensors {
                     return {uniform_values({2, 8, 30, 28, 3}, dtype, "c"), integers({3, 5}, 2 * 12, "picks")};
                   },
                   [](const Tensors& in) -> Tensors {
                     Tensor w = empty({15, 2 * 3 * 7 * 5}, in[0].dtype(), in[0]);
                     paper_at(w).patch_weights({{2, 3, 2}}, {{3, 7, 5}}, in[0], in[1], w);
                     return {w};
                   }});
}

/// Rings of three classes with 700 slots, not all filled; affinities are finite everywhere.
Tensors ring_inputs(Dtype dtype) {
  return {normal_values({3, 700, 20}, dtype, "keys"), uniform_values({3, 700}, dtype, "affinity"),
          Tensor::of<std::int32_t>({3}, {700, 431, 12}), Tensor::of<std::int32_t>({3}, {699, 431, 12})};
}
KeyRing ring_of(const Tensors& in) { return {in[0].clone(), in[1].clone(), in[2].clone(), in[3].clone()}; }

void add_keys(std::vector<KernelCase>& cases) {
  const auto closest = [](const Tensors& in, const KeyRing& ring, std::int64_t n) {
    Closest c{empty({12, n}, Dtype::i32, in[0]), empty({12}, Dtype::i32, in[0]), empty({12}, Dtype::i32, in[0])};
    paper_at(in[0]).closest_keys(ring, in[4], in[5], c);
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
                       const Closest c = closest(in, ring_of(in), n);
                       return {c.slots, c.count, c.allowed};
                     }});
  for (const auto& [name, w] :
       {std::pair("affinity", MixWeight::affinity), {"half", MixWeight::half}, {"random", MixWeight::random}})
    cases.push_back({fmt::format("mixtures, {}", name), inputs, [closest, w = w](const Tensors& in) -> Tensors {
                       Tensor y = empty({12, 11, 20}, in[0].dtype(), in[0]);
                       paper_at(y).mixtures(w, some_key(), ring_of(in), closest(in, ring_of(in), 60), y);
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
                     paper_at(mask).other_classes(ring_of(in), mask);
                     paper_at(w).contrast_weights(500, in[4], ring_of(in), w);
                     return {mask, w};
                   }});
  cases.push_back({"store_keys",
                   [](Dtype dtype) {
                     Tensors in = ring_inputs(dtype);
                     in.insert(in.end(), {normal_values({12, 20}, dtype, "rows"), integers({3, 4}, 50, "picks"),
                                          Tensor::of<std::int32_t>({3}, {4, 3, 0}),
                                          uniform_values({50}, dtype, "row affinity"), number(1)});
                     return in;
                   },
                   [](const Tensors& in) -> Tensors {
                     KeyRing ring = ring_of(in);
                     paper_at(in[0]).store_keys(in[4], in[5], in[6], in[7], in[8], ring);
                     return {ring.keys, ring.affinity, ring.count, ring.next};
                   }});
  cases.push_back(
      {"move_threshold",
       [](Dtype dtype) -> Tensors {
         return {Tensor::of<double>({1}, {0.9}).to(dtype), Tensor::of<double>({2}, {0.5, 0}).to(dtype), number(1)};
       },
       [](const Tensors& in) -> Tensors {
         Tensor state = in[1].clone();
         paper_at(state).move_threshold(0.9, true, 0.1, 0.95, in[0], in[2], state);
         paper_at(state).move_threshold(0.9, true, 0.1, 0.85, in[0], Tensor(), state);
         return {state};
       }});
}

}  // namespace

void add_paper_cases(std::vector<KernelCase>& cases) { add_patches(cases), add_keys(cases); }

}  // namespace sagcl::tests
