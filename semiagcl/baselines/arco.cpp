#include "semiagcl/baselines/arco.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/arithmetic.h"
#include "ops/gather.h"
#include "ops/layout.h"
#include "ops/matmul.h"
#include "ops/reduce.h"
#include "ops/selection.h"
#include "ops/softmax.h"
#include "semiagcl/baselines/parts/cut_mix.h"
#include "semiagcl/baselines/uncertainty_aware.h"
#include "semiagcl/training/checkpoint.h"
#include "semiagcl/training/teacher.h"

namespace sagcl::semiagcl {
namespace {

constexpr double w_groups = 0.01, w_equivariance = 1, w_nearest = 1;  // as released
constexpr double anchor_from = 0.3, confident_from = 0.97;
constexpr std::int64_t cached_maps = 36, nearest_maps = 5, keys_per_step = 256;
// Departs from the paper: a_t falls linearly from 20 to 0 there; here it stays at its mean, because shares of quantiles are
// stated by the host.
constexpr double sure_share = 0.1;

/// 1 where x < limit, else 0; and the opposite.
Tensor below(const Tensor& x, double limit) {
  return ops::below(x, Tensor::full({1}, limit, engine::Dtype::f64, x.device()), 1).reshape(x.shape());
}
Tensor opposite(const Tensor& mask) { return ops::add_scalar(ops::scale(Variable(mask), -1), 1).value(); }

/// Ones for the first rows, then `rest`.
Tensor after_ones(std::int64_t first, const Tensor& rest) {
  const Variable ones(Tensor::full({first}, 1, rest.dtype(), rest.device()));
  return ops::concat({ones, Variable(rest)}, 0).value();
}

}  // namespace

Variable masked_divergence(const Variable& logits, const Tensor& target, const Tensor& mask) {
  const Variable t(target);
  const Variable difference = ops::subtract(ops::log(ops::add_scalar(t, 1e-6)), ops::log_softmax(logits));
  const Variable weight(repeated(mask, target.shape().back()).reshape(target.shape()));
  const Tensor count = ops::clamp(ops::sum(Variable(mask)).value(), 1, INFINITY);
  return ops::divide(ops::sum(ops::multiply(ops::multiply(weight, t), difference)), Variable(count));
}

Variable nearest_neighbour_loss(const Variable& rows, const Tensor& cache, const Tensor& filled, std::int64_t nearest) {
  const std::int64_t N = rows.shape()[0], S = cache.shape()[0];
  const Variable unit = ops::l2_normalise(rows), keys = ops::l2_normalise(Variable(cache));
  const Variable cosines = ops::matmul(unit, keys, {.transpose_b = true});                // [N,S]
  const Tensor by_key = ops::matmul(keys, unit.detach(), {.transpose_b = true}).value();  // [S,N]
  const Tensor held = repeated(filled, N);
  const Tensor picks = ops::top_rows(by_key, held, 0.5, nearest).picks;  // [N,nearest]
  // Each row's picks as a mask over the cache.
  const Variable one_hot = ops::sum_axis(Variable(ops::one_hot(picks, S, cache.dtype())), 1);
  const Variable counts = ops::multiply(
      one_hot,
      ops::matmul(Variable(Tensor::full({N, 1}, 1, cache.dtype(), cache.device())), Variable(filled.reshape({1, S}))));
  const Variable distance = ops::add_scalar(ops::scale(cosines, -1), 1);
  const Tensor count = ops::clamp(ops::sum(counts).value(), 1, INFINITY);
  return ops::divide(ops::sum(ops::multiply(distance, counts)), Variable(count));
}

// Departs from the paper: a class is unlikely where the teacher gives it less than 1/K; theirs is third or later in the
// teacher's order, which two classes have not, and on labelled voxels among the first three.
VoxelRoles voxel_roles(const Tensor& map, const Tensor& student, const Tensor& teacher, std::int64_t labelled) {
  const std::int64_t K = map.shape()[1], rest = map.shape()[0] - labelled;
  const Tensor own = samples(map, 0, labelled), q = samples(teacher, labelled, rest);
  const Tensor entropy = predictive_entropy(q, 1).reshape({1, rest});
  const Tensor range = ops::quantiles(entropy, {sure_share, 1 - sure_share});
  const Tensor position = ops::unit_range(entropy, range).reshape({rest});  // 0 up to the first, 1 from the second
  const Tensor sure = repeated(after_ones(labelled, below(position, 1e-12)), K);
  const Tensor unsure = repeated(after_ones(labelled, opposite(below(position, 1))), K);

  const Tensor annotated = repeated(ops::sum_axis(Variable(own), -1).value(), K);
  const Variable others = ops::subtract(Variable(annotated), Variable(own));
  const Tensor unlikely = ops::concat({others, Variable(below(q, 1 / double(K)))}, 0).value();
  const Tensor typical = product(map, sure);
  return {typical, product(typical, opposite(below(student, anchor_from))), product(unlikely, unsure)};
}

Arco::Arco(const RunSettings& s, const layers::SegmenterSpec& spec, engine::Device device)
    : DistilledMethod(s, spec, device),
      drawing_(s.contrast.antithetic ? Drawing::antithetic : Drawing::stratified),
      teacher_dense_head_(make_dense_head()),
      // Departs from the paper: method.bank_size keys for every class, by default 4096; theirs 30,000 (background 50,000).
      banks_(spec.classes, s.method.bank_size, s.method.projection_dim, device),
      maps_(1, cached_maps, coarse_cells(teacher_.network().flat()) * spec.classes, device),
      warp_({{s.train.patch[0], s.train.patch[1], s.train.patch[2]}}, device) {
  engine::require<engine::UsageError>(s.method.bank_size >= 2 * strata,
                                      "method.bank_size = {}: arco draws from its banks by {} strata; choose {} or more",
                                      s.method.bank_size, strata, 2 * strata);
}

Phase Arco::fine_tuning() {
  Phase phase{.name = "arco", .unlabelled = true, .masks = true, .ramps = false};
  phase.objective = [this](StepInput& in) { return terms(in); };
  phase.after_update = [this](const StepUpdate& update) {
    for (const Found& found : found_in<Found>(update)) {
      banks_.push(found.keys, update.gate, found.takes);
      maps_.push(found.maps, update.gate);
    }
    update_teacher(*teacher_dense_head_, *dense_head_, update.alpha, update.gate);
    teacher_.follow(update);
  };
  phase.trained = {{"dense_head", dense_head_.get()}};
  return phase;
}

// Departs from the paper: L_sup has our factor ½, as in every method here.
std::vector<Term> Arco::terms(StepInput& in) {
  const Mixed m = mixed(in);
  const std::int64_t labelled = in.batch.labelled, N = in.batch.weak.shape()[0];
  layers::Stages stages;
  const Variable logits = in.forward(m.strong, &stages).logits;
  const Variable features = dense_head_->forward(stages, {.training = true});
  const std::int64_t dim = features.shape().back(), M = features.value().size() / dim;

  stages = {};
  engine::Generator random = in.random.fork(2), draws = in.random.fork(3);
  Tensor q, keys;  // the teacher's probabilities and features of what the student sees, in the weak view
  {
    const autograd::NoGrad no_grad;
    const Variable own(samples(in.batch.weak, 0, labelled));
    const Tensor pasted = cut_mix(samples(in.batch.weak, labelled, N - labelled), in.batch.mask);
    q = teacher_.predict(ops::concat({own, Variable(pasted)}, 0).value(), random, &stages).probabilities;
    keys = teacher_dense_head_->forward(stages, {.training = true}).value().reshape({M, dim});
    stages = {};
  }

  Found found;
  const Tensor p = ops::softmax(Variable(logits.value())).value();
  const VoxelRoles v = voxel_roles(at_features(class_map(in, m.probabilities, 0), features), at_features(p, features),
                                   at_features(q, features), M / N * labelled);
  const Variable contrasted = class_contrast(ops::reshape(features, {M, dim}), contrast(v, keys, draws, found));

  const std::int64_t size = maps_.rows().shape()[2];
  found.maps = coarse_map(Variable(q)).value().reshape({1, N, size});
  // Departs from the paper: what a map is, is ours: the probabilities averaged in 16 cells per axis.
  const Variable maps = ops::reshape(coarse_map(ops::softmax(logits)), {N, size});
  const Variable nearest = nearest_neighbour_loss(maps, maps_.rows().reshape({cached_maps, size}),
                                                  maps_.filled().reshape({cached_maps}), nearest_maps);
  in.found = Findings::of(found);
  return {supervised_term(in, logits),
          {"pseudo", confident_cross_entropy(ops::slice(logits, 0, labelled, N - labelled), m.probabilities)},
          {"contrast", contrasted, w_groups},
          {"equivariance", equivariance(in, m.plain), w_equivariance},
          {"nearest", nearest, w_nearest}};
}

/// Anchors from the student, the teacher's class means as positives, negatives from the banks; all places by strata. The
/// banks take keys of this step after it.
ClassContrast Arco::contrast(const VoxelRoles& v, const Tensor& keys, engine::Generator& random, Found& found) const {
  const std::int64_t K = classes_, S = banks_.rows().shape()[1], dim = keys.shape()[1];
  const auto drawn = [&](const Tensor& weights, std::int64_t n) {
    return ops::draw_rows(weights, places(weights.shape()[1], n, drawing_, random, weights));
  };
  // Departs from the paper: a step brings 256 keys per class, drawn likewise, there all; and negatives are drawn once for
  // all queries of a class, there for each.
  const std::int64_t n = std::min(keys_per_step, S - S % (2 * strata));
  const Tensor picks = drawn(v.unlikely, n);
  const Variable stored = ops::gather(Variable(keys), picks.reshape({picks.size()}));
  found.keys = stored.value().reshape({K, n, dim});
  found.takes = any_row(v.unlikely);

  const Tensor queries = drawn(v.anchors, queries_per_class);
  std::vector<Variable> negatives;
  for (std::int64_t k = 0; k < K; ++k) {
    const Tensor held = samples(banks_.filled(), k, 1).reshape({S, 1});
    const Variable bank(samples(banks_.rows(), k, 1).reshape({S, dim}));
    const Tensor rows = drawn(held, negatives_per_class).reshape({negatives_per_class});
    negatives.push_back(ops::reshape(ops::gather(bank, rows), {1, negatives_per_class, dim}));
  }
  const Tensor begun =
      ops::slice(Variable(banks_.filled()), 1, 0, 1).value().reshape({K});  // the newest place is filled first
  return {.queries = queries,
          .positives = class_sums(keys, v.typical),
          .negatives = ops::concat(negatives, 0).value(),
          .usable = product(any_row(v.anchors), begun),
          .classes = ops::clamp(ops::sum(Variable(any_row(v.typical))).value(), 1, INFINITY)};
}

// Departs from the paper: one warp for all images of a step, a zoom and a shift along each axis without rotation or shear:
// so it is a product of matrices, which are drawn on the device. The target is the teacher's.
Variable Arco::equivariance(StepInput& in, const Tensor& q) const {
  const std::int64_t labelled = in.batch.labelled;
  engine::Generator random = in.random.fork(4);
  const AxisMatrices matrices = warp_.draw(random);
  const Tensor images = warped(samples(in.batch.weak, labelled, q.shape()[0]), matrices);
  // Foreground that the teacher is sure of: the channels of a one-hot map behind the first, which are 0 where it is not.
  const Tensor sure = ops::one_hot(ops::most_likely(q, confident_from), classes_, q.dtype());
  const Tensor foreground = ops::sum_axis(ops::slice(Variable(sure), -1, 1, classes_ - 1), -1).value();
  const engine::Shape& s = foreground.shape();
  const Tensor mask = warped(foreground.reshape({s[0], s[1], s[2], s[3], 1}), matrices).reshape(s);
  return masked_divergence(in.forward(images).logits, warped(q, matrices), mask);
}

NamedModules Arco::modules() {
  NamedModules all = DistilledMethod::modules();
  all.emplace_back("dense_teacher", teacher_dense_head_.get());
  return all;
}

void Arco::convert_to(engine::Dtype dtype) {
  DistilledMethod::convert_to(dtype);
  banks_.convert_to(dtype), maps_.convert_to(dtype), warp_.convert_to(dtype);
}

void Arco::store(engine::TensorFile& content) const {
  DistilledMethod::store(content);
  checkpoint::store(banks_.state(), checkpoint::bank, content);
  checkpoint::store(maps_.state(), checkpoint::maps, content);
}

void Arco::load(const engine::TensorFile& content) {
  DistilledMethod::load(content);
  banks_.load(checkpoint::state_of(content, checkpoint::bank));
  maps_.load(checkpoint::state_of(content, checkpoint::maps));
}

}  // namespace sagcl::semiagcl
