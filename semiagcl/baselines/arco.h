#pragma once
#include "semiagcl/baselines/parts/axis_warp.h"
#include "semiagcl/baselines/parts/class_contrast.h"
#include "semiagcl/baselines/parts/distilled_method.h"

namespace sagcl::semiagcl {

/// Mean over voxels, weighed by m, of KL(t ‖ softmax(z)): Σ_v m_v Σ_c t (log(t + 1e-6) − log softmax(z)) / max(Σ m, 1).
/// logits z, target t [N,D,H,W,C], m [N,D,H,W]; t and m are constants.
Variable masked_divergence(const Variable& logits, const Tensor& target, const Tensor& mask);

/// Mean of 1 − cos over each row and its `nearest` nearest rows, by cosine, of those a cache holds; 0 while it holds none.
/// rows [N,e], cache [S,e] and filled [S] (1 where a row lies) are constants.
Variable nearest_neighbour_loss(const Variable& rows, const Tensor& cache, const Tensor& filled, std::int64_t nearest);

/// Which voxels take part in ARCO's contrast, and as what: [M,K], 1 where they do, else 0.
struct VoxelRoles {
  Tensor typical;   ///< surely of this class: annotated, or among the tenth of which the teacher is surest
  Tensor anchors;   ///< typical, and the student gives the class 0.3 or more
  Tensor unlikely;  ///< surely not of this class, though hard: annotated as another, or among the tenth of which the teacher
                    ///< is least sure and given less than 1/K
};
/// map [M,K] the class of each voxel, a row of zeros where it is not known; student, teacher [M,K] probabilities. The first
/// `labelled` rows are of labelled images.
VoxelRoles voxel_roles(const Tensor& map, const Tensor& student, const Tensor& teacher, std::int64_t labelled);

/// ARCO (You et al., NeurIPS 2023): ACTION's pre-training and self-training with a contrast of sure voxels against banks of
/// unsure ones, whose places are drawn by strata (SG) or by antithetic pairs in strata (SAG: contrast.antithetic):
/// L_sup + L_u + 0.01 L_c + L_eqv + L_nn.
class Arco final : public DistilledMethod {
 public:
  Arco(const RunSettings& settings, const layers::SegmenterSpec& spec, engine::Device device);

  NamedModules modules() override;
  void convert_to(engine::Dtype dtype) override;
  void store(engine::TensorFile& content) const override;
  void load(const engine::TensorFile& content) override;

 private:
  struct Found {
    Tensor keys;   ///< [K,n,e] for the banks
    Tensor takes;  ///< [K]: which of them
    Tensor maps;   ///< [1,N,e'] coarse maps of the teacher
    static constexpr Tensor Found::*tensors[] = {&Found::keys, &Found::takes, &Found::maps};
  };
  Phase fine_tuning() override;
  std::vector<Term> terms(StepInput& in);
  ClassContrast contrast(const VoxelRoles& v, const Tensor& teacher_features, engine::Generator& random, Found& found) const;
  Variable equivariance(StepInput& in, const Tensor& q) const;

  const Drawing drawing_;
  std::unique_ptr<DenseHead> teacher_dense_head_;
  RowQueue banks_, maps_;
  RandomAxisWarp warp_;
};

}  // namespace sagcl::semiagcl
