#pragma once
#include <memory>
#include <string>
#include <vector>

#include "layers/projection_head.h"
#include "semiagcl/baselines/parts/row_queue.h"
#include "semiagcl/training/training_method.h"

namespace sagcl::semiagcl {

/// Mean over rows of KL(q ‖ p), q = softmax(cos(t, c) / teacher_tau), p = softmax(cos(s, c) / student_tau), both over the S
/// rows c of a cache: how similar the student finds a sample to others should be what the teacher finds (iterative
/// similarity distillation; Tejankar et al., ICCV 2021). student s [G,N,e]; teacher t [G,N,e] and cache c [G,S,e], of unit
/// length or zero, are constants. Each of G groups has a cache of its own.
Variable relational_distillation(const Variable& student, const Tensor& teacher, const Tensor& cache, double student_tau,
                                 double teacher_tau);

/// Two linear layers with nothing between them, as ACTION's projectors and predictors.
class LinearPair final : public layers::Module {
 public:
  LinearPair(std::int64_t in, std::int64_t hidden, std::int64_t out, engine::Generator& random)
      : first_(in, hidden, random), second_(hidden, out, random) {}
  Variable forward(const Variable& rows) const { return second_.forward(first_.forward(rows)); }
  void describe(layers::Parts& parts) override;

 private:
  layers::Linear first_, second_;
};

/// Relational distillation of one kind of rows (ACTION; You et al., IPMI 2023): projector and predictor of the student, the
/// averaged projector of the teacher, and the cache of the teacher's last K = 36 samples.
class Relation {
 public:
  struct Spec {
    std::string name;                          ///< "latent": in checkpoints and among trained modules
    std::int64_t groups = 1, cells = 1;        ///< a sample has G rows of `cells` vectors each, which are projected alone
    std::int64_t in = 1, hidden = 1, out = 1;  ///< of the projector's layers; the predictor's are out, hidden, out
    double student_tau = 0.1, teacher_tau = 0.01;
  };
  Relation(const Spec& spec, std::uint64_t seed, engine::Device device);

  /// The loss of student and teacher vectors [G,N,cells,in]; what the cache is to take goes to `keys` [G,N,cells·out].
  Variable loss(const Variable& student, const Tensor& teacher, Tensor& keys);

  /// The cache takes the keys of all shards, the teacher's projector follows.
  void follow(const StepUpdate& update, const std::vector<Tensor>& keys);

  std::vector<TrainedModule> trained();
  NamedModules modules();
  RowQueue& cache() { return cache_; }
  const RowQueue& cache() const { return cache_; }

 private:
  Variable project(const Variable& x, const LinearPair& projector, const LinearPair* predictor) const;

  Spec spec_;
  std::unique_ptr<LinearPair> projector_, predictor_, teacher_projector_;
  RowQueue cache_;
};

/// Probabilities [N,D,H,W,C] averaged in 16 cells per axis (1 if its extent is 1) -> [N,d,h,w,C].
Variable coarse_map(const Variable& probabilities);
std::int64_t coarse_cells(bool flat);  ///< d h w

/// The overlapping windows of a coarse map as rows of Relation: [G,N,cells,C].
Variable output_windows(const Variable& coarse);
std::int64_t output_window_count(bool flat);  ///< G
std::int64_t output_window_cells(bool flat);

}  // namespace sagcl::semiagcl
