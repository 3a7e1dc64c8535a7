#include "semiagcl/semi_agcl.h"

#include "engine/show.h"
#include "ops/gather.h"
#include "ops/layout.h"
#include "ops/reduce.h"
#include "ops/softmax.h"
#include "semiagcl/affinity.h"
#include "semiagcl/affinity_loss.h"
#include "semiagcl/consistency.h"
#include "semiagcl/copy_paste.h"
#include "semiagcl/reweighting.h"
#include "semiagcl/training/checkpoint.h"

namespace sagcl::semiagcl {
namespace {

std::unique_ptr<layers::ProjectionHead> make_head(const RunSettings& s, const layers::SegmenterSpec& spec,
                                                  engine::Device device) {
  engine::Generator random(s.train.seed, "projection head");
  auto head =
      std::make_unique<layers::ProjectionHead>(16 * spec.width, s.method.projection_hidden, s.method.projection_dim, random);
  layers::move_to(*head, device);
  return head;
}

Tensor mean(const Tensor& x) { return ops::mean(Variable(x)).value().reshape({1}); }

Tensor numbers_up_to(std::int64_t last) {
  std::vector<float> all;
  for (std::int64_t i = 0; i <= last; ++i) all.push_back(float(i));
  return Tensor::of({last + 1}, all);
}

/// One part of what the shards found, one shard behind the other.
template <class Found>
Tensor joined(const std::vector<Found>& shards, Tensor Found::*part) {
  std::vector<Variable> parts;
  for (const Found& found : shards) parts.push_back(Variable(found.*part));
  return ops::concat(parts, 0).value();
}

}  // namespace

SemiAgcl::SemiAgcl(const RunSettings& s, const layers::SegmenterSpec& spec, engine::Device device)
    : TeacherMethod(s, spec, device),
      method_(settings_.method),
      classes_(spec.classes),
      head_(make_head(s, spec, device)),
      teacher_head_(make_head(s, spec, device)),
      bank_(spec.classes, s.method, device),
      counts_as_floats_(numbers_up_to(s.method.top_n).to(device)) {}

std::vector<Phase> SemiAgcl::phases() {
  Phase main{.name = "semi-agcl", .unlabelled = true, .masks = method_.mask};
  main.objective = [this](StepInput& in) { return method_.mask ? mixed_terms(in) : terms(in); };
  main.after_update = [this](const StepUpdate& update) { after_update(update); };
  if (contrasts()) main.trained = {{"projection", head_.get()}};
  return with_warm_up(settings_, &teacher_, std::move(main), {.paste = method_.mask});
}

std::vector<Term> SemiAgcl::terms(StepInput& in) {
  const layers::Segmentation student = in.forward(in.batch.strong);
  const std::int64_t labelled = in.batch.labelled, n = in.batch.weak.shape()[0], unlabelled = n - labelled;
  // the first sample the teacher has to see
  const std::int64_t first = contrasts() && method_.labelled_anchors ? 0 : labelled;
  engine::Generator random = in.random.fork(0);
  const AveragedNetwork::Output seen = teacher_.predict(samples(in.batch.weak, first, n - first), random);

  const Tensor target = samples(seen.probabilities, labelled - first, unlabelled);
  const Variable logits = ops::slice(student.logits, 0, labelled, unlabelled);
  Found found;
  std::vector<Term> all{supervised_term(in, student.logits)};  // L_sup
  const Variable reg = consistency_loss(logits, target, method_.consistency, method_.min_target);
  all.push_back({"reg", reg, method_.w_reg, in.ramp});                                          // L_reg
  if (method_.kernel != Kernel::none) all.push_back(affinity_term(in, target, logits, found));  // L_PL
  if (contrasts()) {
    Views views{samples(in.batch.weak, first, n - first),
                samples(in.batch.strong, first, n - first),
                seen.probabilities,
                seen.probabilities,
                student,
                [&] { return seen.bottleneck; }};
    if (first == 0) {
      const Variable truth(one_hot(in.batch.label, classes_, views.map.dtype()));
      views.map = ops::concat({truth, Variable(target)}, 0).value();
    }
    all.push_back({"rw", contrast(in, views, found), method_.w_rw, in.ramp});  // L_RW
  }
  in.found = Findings::of(found);
  return all;
}

/// The same with the mask M: every labelled image meets an unlabelled one in both directions, and all terms look at the
/// mixed images. L_sup counts where the truth is known, L_reg where it is the teacher's.
std::vector<Term> SemiAgcl::mixed_terms(StepInput& in) {
  const BothWays both(in.batch.mask);
  const std::int64_t n = in.batch.labelled;
  engine::Generator random = in.random.fork(0);
  const Tensor seen = teacher_.predict(samples(in.batch.weak, n, n), random).probabilities;
  Views views{both.mix(in.batch.weak), both.mix(in.batch.strong)};
  views.student = in.forward(views.strong);
  views.map = views.probabilities = both.mix(one_hot(in.batch.label, classes_, seen.dtype()), seen);
  views.bottleneck = [&] { return teacher_.predict(views.weak, random).bottleneck; };

  const Variable& logits = views.student.logits;
  const Tensor pseudo = pseudo_labels(seen, settings_.mix.largest_component, method_.min_target);
  Found found;
  std::vector<Term> all{{"sup", both.labelled_loss(logits, in.batch.label)},                                 // L_sup
                        {"reg", both.unlabelled_loss(logits, pseudo), method_.w_reg}};                       // L_reg
  if (method_.kernel != Kernel::none) all.push_back(affinity_term(in, views.probabilities, logits, found));  // L_PL
  if (contrasts()) all.push_back({"rw", contrast(in, views, found), method_.w_rw, in.ramp});                 // L_RW
  in.found = Findings::of(found);
  return all;
}

/// L_PL on the graph of Eq. 2 between teacher and student.
Term SemiAgcl::affinity_term(StepInput& in, const Tensor& target, const Variable& logits, Found& found) const {
  const AffinityGraph graph = affinity_graph(target, ops::softmax(logits), method_);
  found.a_ii = mean(diagonal(graph.a.value()));
  found.sigma2 = mean(graph.sigma2);
  engine::show("A", graph.a.value());
  return {"pl", affinity_loss(graph.a, method_), method_.w_pl, in.ramp};
}

/// Global average pooling and projection to unit vectors.
Variable SemiAgcl::embed(const Variable& features, layers::ProjectionHead& head) const {
  const bool frozen = method_.patch_norm == PatchNorm::frozen;
  const Variable pooled = features.shape().rank() == 2 ? features : ops::global_average_pool(features);
  return head.forward(pooled, {.training = true, .update_statistics = !frozen});
}

/// Sections III-A and III-C: picks patches, embeds both views, contrasts with the bank.
Variable SemiAgcl::contrast(StepInput& in, const Views& views, Found& found) {
  const std::int64_t count = views.weak.shape()[0], all = views.student.logits.shape()[0];
  const Tensor &weak = views.weak, &map = views.map;
  {
    const autograd::NoGrad no_grad;
    const Variable seen_by_student = ops::softmax(Variable(samples(views.student.logits.value(), all - count, count)));
    Method per_image = method_;
    per_image.graph = GraphOver::image;  // whatever L_PL joins: keys of all steps and settings carry comparable affinities
    found.affinity = diagonal(affinity_graph(views.probabilities, seen_by_student, per_image).a.value());  // A_ii, which the
    // keys take into the bank: Eq. 6 weighs with it in later steps
  }
  const Tensor score = sampling_score(weak, map, method_);                                               // by Eq. 1
  const Picks picks = class_centric_patches(score, patch_confidence(map, method_.patch_grid), method_);  // Top-n
  engine::show("X", weak), engine::show("C", map), engine::show("score", score);
  engine::show("picks", picks.patch), engine::show("counted", picks.counted);

  const bool frozen = method_.patch_norm == PatchNorm::frozen;
  engine::Generator dropout = in.random.fork(1);
  const layers::Pass pass{.training = true, .update_statistics = !frozen, .dropout = false, .random = &dropout};
  // What an encoder makes of the picks; a bottleneck ends with the images they are from.
  const auto features = [&](layers::Segmenter& network, const Tensor& view, const Variable& bottleneck) {
    if (method_.embedding == Embedding::patch)
      return network.encode(Variable(attended_patches(view, map, method_.patch_grid, picks.patch)), pass);
    const Variable images = ops::slice(bottleneck, 0, bottleneck.shape()[0] - count, count);
    return roi_features(images, map, method_.patch_grid, picks.patch);
  };
  Tensor keys;
  {
    const autograd::NoGrad no_grad;
    const Variable whole(method_.embedding == Embedding::roi ? views.bottleneck() : Tensor());
    keys = embed(features(*teacher_.get(), weak, whole), *teacher_head_).value();  // k = H(E_T(P_i^k))
  }
  const Variable q = embed(features(in.student, views.strong, views.student.bottleneck), *head_);  // q = H(E_S(P_i^k))

  engine::show("q", q.value()), engine::show("k", keys);
  found.keys = keys, found.patch = picks.patch, found.counted = picks.counted;
  engine::Generator draws = in.random.fork(2);
  return reweighted_loss(q, keys, picks, bank_, method_, draws);
}

/// The keys enter the bank only now: no anchor of the step has met one of them as a negative.
void SemiAgcl::after_update(const StepUpdate& update) {
  const engine::Device device = update.alpha.device();
  std::vector<Found> shards;
  for (const Findings& findings : update.shards) {
    shards.push_back(findings.as<Found>());
    for (Tensor Found::*part : Found::tensors)  // other processes' shards lie on the host
      if ((shards.back().*part).defined()) shards.back().*part = (shards.back().*part).to(device);
  }
  if (contrasts()) {
    for (const Found& found : shards) bank_.store(found.keys, {found.patch, found.counted}, found.affinity, update.gate);
    bank_.update_threshold(update.gate);
    observed_["anchors"] = ops::sum(ops::gather(Variable(counts_as_floats_), joined(shards, &Found::counted))).value();
    observed_["theta"] = bank_.theta();
    update_teacher(*teacher_head_, *head_, update.alpha, update.gate);
  }
  if (method_.kernel != Kernel::none) {
    observed_["a_ii"] = mean(joined(shards, &Found::a_ii));
    observed_["sigma2"] = mean(joined(shards, &Found::sigma2));
  }
  teacher_.follow(update);
}

NamedModules SemiAgcl::modules() {
  if (!teacher_.begun()) return {};
  return {{"head", head_.get()}, {"teacher_head", teacher_head_.get()}};
}

void SemiAgcl::store(engine::TensorFile& content) const {
  if (teacher_.begun()) checkpoint::store(bank_.state(), checkpoint::bank, content);
}

void SemiAgcl::load(const engine::TensorFile& content) {
  if (teacher_.begun()) bank_.load(checkpoint::state_of(content, checkpoint::bank));
}

}  // namespace sagcl::semiagcl
