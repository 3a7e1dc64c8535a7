#include "semiagcl/baselines/parts/relation.h"

#include "ops/arithmetic.h"
#include "ops/gather.h"
#include "ops/layout.h"
#include "ops/matmul.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "ops/softmax.h"
#include "semiagcl/training/teacher.h"

namespace sagcl::semiagcl {
namespace {

constexpr std::int64_t cached = 36;             // K
constexpr std::int64_t cells = 16, window = 4;  // per axis

std::unique_ptr<LinearPair> make_pair(const std::string& purpose, std::uint64_t seed, std::int64_t in, std::int64_t hidden,
                                      std::int64_t out, engine::Device device) {
  engine::Generator random(seed, purpose);
  auto pair = std::make_unique<LinearPair>(in, hidden, out, random);
  layers::move_to(*pair, device);
  return pair;
}

/// Cosines over τ of rows and a cache, [G,N,S].
Variable similarities(const Variable& rows, const Tensor& cache, double tau) {
  return ops::scale(ops::matmul(ops::l2_normalise(rows), Variable(cache), {.transpose_b = true}), 1 / tau);
}

/// Where windows begin along an axis. As the released range, which stops before the last.
std::vector<std::int64_t> begins(bool flat) {
  // Departs from the paper: windows overlap by half in images, as there; in volumes, of which nothing is said, they do not.
  std::vector<std::int64_t> all;
  for (std::int64_t begin = 0; begin < cells - window; begin += flat ? window / 2 : window) all.push_back(begin);
  return all;
}

}  // namespace

Variable relational_distillation(const Variable& student, const Tensor& teacher, const Tensor& cache, double student_tau,
                                 double teacher_tau) {
  const Variable target = similarities(Variable(teacher), cache, teacher_tau);
  const Variable q = ops::softmax(target);
  const Variable difference =
      ops::subtract(ops::log_softmax(target), ops::log_softmax(similarities(student, cache, student_tau)));
  const double rows = double(student.shape()[0] * student.shape()[1]);
  return ops::scale(ops::sum(ops::multiply(q, difference)), 1 / rows);
}

void LinearPair::describe(layers::Parts& parts) {
  parts.child("first", first_);
  parts.child("second", second_);
}

// Departs from the paper: the cache begins empty, there with random vectors; an empty place is equally far from everything.
Relation::Relation(const Spec& s, std::uint64_t seed, engine::Device device)
    : spec_(s),
      projector_(make_pair(s.name + " projector", seed, s.in, s.hidden, s.out, device)),
      predictor_(make_pair(s.name + " predictor", seed, s.out, s.hidden, s.out, device)),
      teacher_projector_(make_pair(s.name + " projector", seed, s.in, s.hidden, s.out, device)),
      cache_(s.groups, cached, s.cells * s.out, device) {}

Variable Relation::project(const Variable& x, const LinearPair& projector, const LinearPair* predictor) const {
  const std::int64_t rows = x.value().size() / spec_.in, per_group = rows / (spec_.groups * spec_.cells);
  Variable z = projector.forward(ops::reshape(x, {rows, spec_.in}));
  if (predictor) z = predictor->forward(z);
  return ops::reshape(z, {spec_.groups, per_group, spec_.cells * spec_.out});
}

Variable Relation::loss(const Variable& student, const Tensor& teacher, Tensor& keys) {
  {
    const autograd::NoGrad no_grad;
    keys = ops::l2_normalise(project(Variable(teacher), *teacher_projector_, nullptr)).value();
  }
  const Variable z = project(student, *projector_, predictor_.get());
  return relational_distillation(z, keys, cache_.rows(), spec_.student_tau, spec_.teacher_tau);
}

void Relation::follow(const StepUpdate& update, const std::vector<Tensor>& keys) {
  for (const Tensor& k : keys) cache_.push(k, update.gate);
  update_teacher(*teacher_projector_, *projector_, update.alpha, update.gate);
}

std::vector<TrainedModule> Relation::trained() {
  return {{spec_.name + "_projector", projector_.get()}, {spec_.name + "_predictor", predictor_.get()}};
}

NamedModules Relation::modules() {
  return {{spec_.name + "_projector", projector_.get()},
          {spec_.name + "_predictor", predictor_.get()},
          {spec_.name + "_teacher", teacher_projector_.get()}};
}

Variable coarse_map(const Variable& p) {
  const engine::Shape& s = p.shape();
  const engine::Extents cell{{s[1] == 1 ? 1 : s[1] / cells, s[2] / cells, s[3] / cells}};
  return ops::average_pool(p, {.window = cell, .stride = cell});
}

std::int64_t coarse_cells(bool flat) { return flat ? cells * cells : cells * cells * cells; }

// Departs from the paper: its windows are of logits, 64 x 64 voxels at steps of 32 averaged to 8 x 8 cells (LA: 20 voxels a
// side, 4 cells); ours of probabilities, which the teacher gives, a quarter of the crop's sides and 4 cells a side, so that
// they fit every crop.
Variable output_windows(const Variable& coarse) {
  const engine::Shape& s = coarse.shape();
  const bool flat = s[1] == 1;
  const std::int64_t depth = flat ? 1 : window;
  std::vector<Variable> all;
  for (std::int64_t d : flat ? std::vector<std::int64_t>{0} : begins(flat))
    for (std::int64_t h : begins(flat))
      for (std::int64_t w : begins(flat)) all.push_back(ops::crop(coarse, {{d, h, w}}, {{depth, window, window}}));
  return ops::reshape(ops::concat(all, 0), {std::int64_t(all.size()), s[0], depth * window * window, s[4]});
}

std::int64_t output_window_count(bool flat) {
  const auto n = std::int64_t(begins(flat).size());
  return flat ? n * n : n * n * n;
}

std::int64_t output_window_cells(bool flat) { return flat ? window * window : window * window * window; }

}  // namespace sagcl::semiagcl
