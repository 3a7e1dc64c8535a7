#include "semiagcl/baselines/parts/distilled_method.h"

#include "ops/layout.h"
#include "ops/reduce.h"
#include "ops/selection.h"
#include "ops/softmax.h"
#include "semiagcl/baselines/parts/cut_mix.h"
#include "semiagcl/training/checkpoint.h"

namespace sagcl::semiagcl {
namespace {

constexpr double output_teacher_tau = 0.01;

Relation::Spec latent_spec(const RunSettings& s, const layers::SegmenterSpec& spec, bool flat) {
  const std::int64_t channels = 16 * spec.width;
  // Departs from the paper: latents and features of voxels have method.projection_dim numbers, by default 128 as on LA; 512
  // on ACDC there.
  return {.name = "latent",
          .in = channels,
          .hidden = channels,
          .out = s.method.projection_dim,
          .teacher_tau = flat ? 0.01 : 0.6};
}

Relation::Spec output_spec(const layers::SegmenterSpec& spec, bool flat) {
  return {.name = "output",
          .groups = output_window_count(flat),
          .cells = output_window_cells(flat),
          .in = spec.classes,
          .hidden = 2 * spec.classes,
          .out = spec.classes,
          .teacher_tau = output_teacher_tau};
}

}  // namespace

DistilledMethod::DistilledMethod(const RunSettings& s, const layers::SegmenterSpec& spec, engine::Device device)
    : TeacherMethod(s, spec, device),
      classes_(spec.classes),
      spec_(spec),
      device_(device),
      latents_(latent_spec(s, spec, teacher_.network().flat()), s.train.seed, device),
      outputs_(output_spec(spec, teacher_.network().flat()), s.train.seed, device) {
  dense_head_ = make_dense_head();
}

std::unique_ptr<DenseHead> DistilledMethod::make_dense_head() {
  engine::Generator random(settings_.train.seed, "dense head");
  auto head = std::make_unique<DenseHead>(spec_, teacher_.network().flat(), settings_.method.projection_dim, random);
  layers::move_to(*head, device_);
  return head;
}

std::vector<Phase> DistilledMethod::phases() {
  const std::int64_t all = settings_.train.steps - warm_up_steps(settings_.train.steps, settings_.method);
  const auto both = std::int64_t(settings_.contrast.pre_training_share * double(all));
  std::vector<Phase> stages{pre_training(false), pre_training(true), fine_tuning()};
  const std::int64_t steps[] = {both / 2, both - both / 2, all - both};
  std::vector<Phase> phases;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    if (steps[i] == 0 && i < 2) continue;
    if (phases.empty()) phases = with_warm_up(settings_, &teacher_, std::move(stages[i]));
    else phases.push_back(std::move(stages[i]));
    phases.back().steps = steps[i];
  }
  return phases;
}

Phase DistilledMethod::pre_training(bool outputs) {
  Phase phase{.name = "pre-training", .unlabelled = true, .ramps = false, .trained = latents_.trained()};
  if (outputs)
    for (const TrainedModule& module : outputs_.trained()) phase.trained.push_back(module);
  phase.objective = [this, outputs](StepInput& in) { return pre_training_terms(in, outputs); };
  phase.after_update = [this, outputs](const StepUpdate& update) {
    std::vector<Tensor> latents, windows;
    for (const Found& found : found_in<Found>(update)) latents.push_back(found.latents), windows.push_back(found.outputs);
    latents_.follow(update, latents);
    if (outputs) outputs_.follow(update, windows);
    teacher_.follow(update);
  };
  return phase;
}

// Departs from the paper: L_sup is there only in the second stage; here the first follows a supervised warm-up, whose
// decoder would lose its encoder. The student sees the strong view of everything, in images, too, where there the teacher
// does.
std::vector<Term> DistilledMethod::pre_training_terms(StepInput& in, bool outputs) {
  const layers::Segmentation student = in.forward(in.batch.strong);
  engine::Generator random = in.random.fork(0);
  const AveragedNetwork::Output teacher = teacher_.predict(in.batch.weak, random);
  const std::int64_t n = in.batch.weak.shape()[0], channels = student.bottleneck.shape().back();
  const auto pooled = [&](const Variable& x) { return ops::reshape(ops::global_average_pool(x), {1, n, 1, channels}); };
  Found found;
  std::vector<Term> all{supervised_term(in, student.logits)};
  const Tensor target = pooled(Variable(teacher.bottleneck)).value();
  all.push_back({"latent", latents_.loss(pooled(student.bottleneck), target, found.latents)});
  if (outputs) {
    const Tensor windows = output_windows(coarse_map(Variable(teacher.probabilities))).value();
    const Variable own = output_windows(coarse_map(ops::softmax(student.logits)));
    all.push_back({"output", outputs_.loss(own, windows, found.outputs)});
  }
  in.found = Findings::of(found);
  return all;
}

// Departs from the paper: boxes are those of bcp, mix.box of the sides (4/9 of an image), theirs half of it with random
// sides; ClassMix, an option there, is left out.
DistilledMethod::Mixed DistilledMethod::mixed(StepInput& in) {
  const std::int64_t labelled = in.batch.labelled, n = in.batch.weak.shape()[0] - labelled;
  engine::Generator random = in.random.fork(0);
  Mixed m;
  m.plain = teacher_.predict(samples(in.batch.weak, labelled, n), random).probabilities;
  m.probabilities = cut_mix(m.plain, in.batch.mask);
  const Variable own(samples(in.batch.strong, 0, labelled));
  m.strong = ops::concat({own, Variable(cut_mix(samples(in.batch.strong, labelled, n), in.batch.mask))}, 0).value();
  return m;
}

Tensor DistilledMethod::class_map(const StepInput& in, const Tensor& q, double least) const {
  const Variable truth(ops::one_hot(in.batch.label, classes_, q.dtype()));
  return ops::concat({truth, Variable(ops::one_hot(ops::most_likely(q, least), classes_, q.dtype()))}, 0).value();
}

NamedModules DistilledMethod::modules() {
  NamedModules all = latents_.modules();
  for (const auto& module : outputs_.modules()) all.push_back(module);
  all.emplace_back("dense_head", dense_head_.get());
  return all;
}

void DistilledMethod::convert_to(engine::Dtype dtype) {
  for (Relation* relation : {&latents_, &outputs_}) relation->cache().convert_to(dtype);
}

void DistilledMethod::store(engine::TensorFile& content) const {
  checkpoint::store(latents_.cache().state(), checkpoint::latents, content);
  checkpoint::store(outputs_.cache().state(), checkpoint::outputs, content);
}

void DistilledMethod::load(const engine::TensorFile& content) {
  latents_.cache().load(checkpoint::state_of(content, checkpoint::latents));
  outputs_.cache().load(checkpoint::state_of(content, checkpoint::outputs));
}

}  // namespace sagcl::semiagcl
