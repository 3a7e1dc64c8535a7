#include "semiagcl/semi_agcl.h"

#include <numeric>

#include "layers/weights.h"
#include "ops/layout.h"
#include "ops/reduce.h"
#include "ops/softmax.h"
#include "semiagcl/affinity.h"
#include "semiagcl/affinity_loss.h"
#include "semiagcl/consistency.h"
#include "semiagcl/reweighting.h"
#include "semiagcl/sampling.h"

namespace sagcl::semiagcl {
namespace {

std::unique_ptr<layers::ProjectionHead> make_head(const RunSettings& s, const layers::SegmenterSpec& spec, engine::Device device) {
  engine::Generator random(s.train.seed, "projection head");
  auto head = std::make_unique<layers::ProjectionHead>(16 * spec.width, s.method.projection_hidden, s.method.projection_dim, random);
  layers::move_to(*head, device);
  return head;
}

double mean_of(const std::vector<double>& v) { return v.empty() ? 0 : std::accumulate(v.begin(), v.end(), 0.0) / double(v.size()); }
Tensor scalar(double value) { return Tensor::full({1}, value, engine::Dtype::f64); }

/// i32 [R, 2]: patch and class.
Tensor to_tensor(const std::vector<Pick>& picks) {
  std::vector<std::int32_t> rows;
  for (const Pick& p : picks) rows.insert(rows.end(), {std::int32_t(p.patch), std::int32_t(p.label)});
  return Tensor::of({std::int64_t(picks.size()), 2}, rows);
}

std::vector<Pick> to_picks(const Tensor& t) {
  const std::vector<std::int32_t> rows = t.to_vector<std::int32_t>();
  std::vector<Pick> picks;
  for (std::size_t r = 0; r < rows.size(); r += 2) picks.push_back({rows[r], rows[r + 1]});
  return picks;
}

}  // namespace

SemiAgcl::SemiAgcl(const RunSettings& s, const layers::SegmenterSpec& spec, engine::Device device)
    : method_(s.method), classes_(spec.classes), teacher_(s, spec, device), head_(make_head(s, spec, device)),
      teacher_head_(make_head(s, spec, device)), bank_(spec.classes, s.method) {}

void SemiAgcl::begin(layers::Segmenter& student) { teacher_.begin(student); }

void SemiAgcl::warm_up(layers::Segmenter& student, std::int64_t t) { teacher_.follow(student, t, Buffers::averaged); }

std::vector<std::pair<std::string, layers::Module*>> SemiAgcl::trained_modules() {
  if (!contrasts()) return {};
  return {{"projection", head_.get()}};
}

std::vector<Term> SemiAgcl::terms(StepInput& in) {
  const std::int64_t labelled = in.batch.labelled, all = in.batch.weak.shape()[0], unlabelled = all - labelled;
  const std::int64_t first = contrasts() && method_.labelled_anchors ? 0 : labelled;  // the first sample the teacher has to see
  engine::Generator dropout = in.random.fork(0);
  const AveragedNetwork::Output seen = teacher_.look(samples(in.batch.weak, first, all - first), dropout);

  const Tensor target = samples(seen.probabilities, labelled - first, unlabelled);
  const Variable logits = ops::slice(in.student.logits, 0, labelled, unlabelled);
  std::vector<Term> terms;
  terms.push_back({"reg", consistency_loss(logits, target, method_.consistency, method_.min_target), in.weights.reg});  // L_reg
  if (method_.kernel != Kernel::none) {
    const AffinityGraph graph = affinity_graph(target, ops::softmax(logits), method_);  // of Eq. 2
    terms.push_back({"pl", affinity_loss(graph.a, method_), in.weights.pl});      // L_PL
    in.found["a_ii"] = scalar(mean_of(diagonal(graph.a.value())));
    in.found["sigma2"] = scalar(mean_of(graph.sigma2.to_doubles()));
  }
  if (contrasts()) {
    const Variable loss = contrast(in, first, seen);
    if (loss.defined()) terms.push_back({"rw", loss, in.weights.rw});  // L_RW
  }
  return terms;
}

/// Global average pooling and projection to unit vectors.
Variable SemiAgcl::embed(const Variable& features, layers::ProjectionHead& head) const {
  const bool frozen = method_.patch_norm == PatchNorm::frozen;
  const Variable pooled = features.shape().rank() == 2 ? features : ops::global_average_pool(features);
  return head.forward(pooled, {.training = true, .update_statistics = !frozen});
}

/// Sections III-A and III-C: picks patches, embeds both views, contrasts with the bank. Undefined while the bank is empty.
Variable SemiAgcl::contrast(StepInput& in, std::int64_t first, const AveragedNetwork::Output& seen) {
  const std::int64_t all = in.batch.weak.shape()[0], count = all - first;
  const Tensor weak = samples(in.batch.weak, first, count), strong = samples(in.batch.strong, first, count);

  // The class map C: the truth where there is one, else the teacher's probabilities.
  Tensor map = seen.probabilities.clone();
  if (first == 0) {
    const Tensor truth = one_hot(in.batch.label, classes_, map.dtype());
    engine::runtime(map.device()).copy_within(map.bytes_begin(), truth.bytes_begin(), truth.bytes());
  }
  std::vector<double> affinities;
  {
    const autograd::NoGrad no_grad;
    const Variable student = ops::softmax(Variable(samples(in.student.logits.value(), first, count)));
    Method per_image = method_;
    per_image.graph = GraphOver::image;
    affinities = diagonal(affinity_graph(seen.probabilities, student, per_image).a.value());  // A_ii of Eq. 6
  }
  const Tensor score = sampling_score(weak, map, method_);                                          // by Eq. 1
  const auto chosen = class_centric_patches(score, patch_confidence(map, method_.patch_grid), method_);  // Top-n
  const std::vector<Pick> picks = picks_of(chosen);
  if (picks.size() < 2) return {};  // the projection's batch norm needs two rows

  const bool frozen = method_.patch_norm == PatchNorm::frozen;
  engine::Generator dropout = in.random.fork(1);
  const layers::Pass pass{.training = true, .update_statistics = !frozen, .dropout = false, .random = &dropout};
  Tensor keys;
  {
    const autograd::NoGrad no_grad;
    const Variable features =
        method_.embedding == Embedding::roi
            ? roi_features(Variable(seen.bottleneck), map, method_.patch_grid, picks)
            : teacher_.get()->encode(Variable(attended_patches(weak, map, method_.patch_grid, picks)), pass);
    keys = embed(features, *teacher_head_).value();  // k = H(E_T(P_i^k))
  }
  const Variable features =
      method_.embedding == Embedding::roi
          ? roi_features(ops::slice(in.student.bottleneck, 0, first, count), map, method_.patch_grid, picks)
          : in.network.encode(Variable(attended_patches(strong, map, method_.patch_grid, picks)), pass);
  const Variable q = embed(features, *head_);  // q = H(E_S(P_i^k))

  in.found["keys"] = keys;
  in.found["picks"] = to_tensor(picks);
  in.found["affinity"] = Tensor::of({std::int64_t(affinities.size())}, affinities);
  engine::Generator draws = in.random.fork(2);
  return reweighted_loss(q, keys, picks, bank_, method_, draws);
}

/// The keys enter the bank only now: no anchor of the step has met one of them as a negative.
void SemiAgcl::after_update(layers::Segmenter& student, std::int64_t t, const std::vector<Findings>& shards) {
  std::map<std::string, std::vector<double>> means;
  std::size_t anchors = 0;
  for (const Findings& found : shards) {
    for (const char* name : {"a_ii", "sigma2"})
      if (found.count(name)) means[name].push_back(found.at(name).item());
    if (!found.count("keys")) continue;
    const std::vector<Pick> picks = to_picks(found.at("picks"));
    remember(bank_, found.at("keys"), picks, found.at("affinity").to_doubles());
    anchors += picks.size();
  }
  if (anchors > 0) bank_.update_threshold();
  for (const auto& [name, values] : means) observed_[name] = mean_of(values);
  observed_["theta"] = bank_.threshold();
  observed_["anchors"] = double(anchors);
  teacher_.follow(student, t);
  if (contrasts()) update_teacher(*teacher_head_, *head_, t, method_.ema_decay);
}

void SemiAgcl::store(engine::TensorFile& content) const {
  teacher_.store(content);
  if (!teacher_.begun()) return;
  layers::store(*head_, "method/head/", content);
  layers::store(*teacher_head_, "method/teacher_head/", content);
  for (const auto& [name, t] : bank_.state()) content.tensors["method/bank/" + name] = t;
}

void SemiAgcl::load(const engine::TensorFile& content, const std::string& source) {
  teacher_.load(content, source);
  if (!teacher_.begun()) return;
  layers::load(*head_, "method/head/", content, source);
  layers::load(*teacher_head_, "method/teacher_head/", content, source);
  std::map<std::string, Tensor> state;
  for (const auto& [name, t] : content.tensors)
    if (name.starts_with("method/bank/")) state[name.substr(12)] = t;
  bank_.load(state);
}

}  // namespace sagcl::semiagcl
