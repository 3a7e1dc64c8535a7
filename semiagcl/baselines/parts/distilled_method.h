#pragma once
#include "semiagcl/baselines/parts/dense_head.h"
#include "semiagcl/baselines/parts/relation.h"
#include "semiagcl/training/teacher_method.h"

namespace sagcl::semiagcl {

/// What ACTION and ARCO share: after the warm-up two stages of pre-training by relational distillation, of the encoder's
/// latents and then of output windows, too, over contrast.pre_training_share of the steps that are left; then their own
/// fine-tuning, with a head that gives features of voxels.
class DistilledMethod : public TeacherMethod {
 public:
  DistilledMethod(const RunSettings& settings, const layers::SegmenterSpec& spec, engine::Device device);

  std::vector<Phase> phases() final;
  double ema_decay(const RunSettings&) const override { return 0.99; }
  NamedModules modules() override;
  void convert_to(engine::Dtype dtype) override;
  void store(engine::TensorFile& content) const override;
  void load(const engine::TensorFile& content) override;

 protected:
  virtual Phase fine_tuning() = 0;  ///< but for its steps

  /// What the student of the fine-tuning sees, and what the teacher says of its unlabelled samples, which CutMix mixes.
  struct Mixed {
    Tensor strong;         ///< [N,D,H,W,C]: labelled samples, then mixed ones
    Tensor probabilities;  ///< [n,D,H,W,K] of the mixed ones
    Tensor plain;          ///< [n,D,H,W,K] of the unlabelled ones before they are mixed
  };
  Mixed mixed(StepInput& in);

  /// One-hot classes [N,D,H,W,K] of a batch: the truth, then the most likely of q where that has a probability of `least`.
  Tensor class_map(const StepInput& in, const Tensor& q, double least) const;

  std::unique_ptr<DenseHead> make_dense_head();

  const std::int64_t classes_;
  std::unique_ptr<DenseHead> dense_head_;

 private:
  struct Found {
    Tensor latents, outputs;
    static constexpr Tensor Found::*tensors[] = {&Found::latents, &Found::outputs};
  };
  std::vector<Term> pre_training_terms(StepInput& in, bool outputs);
  Phase pre_training(bool outputs);

  const layers::SegmenterSpec spec_;
  const engine::Device device_;
  Relation latents_, outputs_;
};

/// What the shards of a step found, on the device of the update: other processes' lie on the host.
template <class Found>
std::vector<Found> found_in(const StepUpdate& update) {
  std::vector<Found> all;
  for (const Findings& findings : update.shards) {
    all.push_back(findings.as<Found>());
    for (Tensor Found::*part : Found::tensors)
      if ((all.back().*part).defined()) all.back().*part = (all.back().*part).to(update.alpha.device());
  }
  return all;
}

}  // namespace sagcl::semiagcl
