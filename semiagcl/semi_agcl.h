#pragma once
#include "layers/projection_head.h"
#include "semiagcl/memory_bank.h"
#include "semiagcl/training/teacher_method.h"

namespace sagcl::semiagcl {

/// The paper's method: L_all = L_sup + L_reg + L_PL + L_RW (Eq. 8). One step reads from top to bottom in terms(): the
/// teacher looks at the weak views; L_reg and the affinity graph compare the two networks; the Top-n patches of every class
/// are embedded by both encoders and contrasted with hard negatives from the memory bank.
class SemiAgcl final : public TeacherMethod {
 public:
  SemiAgcl(const RunSettings& settings, const layers::SegmenterSpec& spec, engine::Device device);

  std::vector<Phase> phases() override;
  std::map<std::string, Tensor> observations() const override { return observed_; }
  NamedModules modules() override;
  void store(engine::TensorFile& content) const override;
  void load(const engine::TensorFile& content) override;

 private:
  /// What the update after a step needs of it; tensors of a part that is switched off are undefined.
  struct Found {
    Tensor keys;            ///< the teacher's, f32 [B, e], class after class
    Tensor patch, counted;  ///< of Picks
    Tensor affinity;        ///< A_ii of every patch, f32 [images, patches]
    Tensor a_ii, sigma2;    ///< means over the graphs, [1]
    static constexpr Tensor Found::*tensors[] = {&Found::keys,     &Found::patch, &Found::counted,
                                                 &Found::affinity, &Found::a_ii,  &Found::sigma2};
  };

  std::vector<Term> terms(StepInput& in);
  void after_update(const StepUpdate& update);
  bool contrasts() const { return method_.mixing != Mixing::none && method_.w_rw != 0; }
  Variable embed(const Variable& features, layers::ProjectionHead& head) const;
  Variable contrast(StepInput& in, const layers::Segmentation& student, std::int64_t first,
                    const AveragedNetwork::Output& seen, Found& found);

  const Method& method_;  // of the settings
  std::int64_t classes_;
  std::unique_ptr<layers::ProjectionHead> head_, teacher_head_;
  MemoryBank bank_;
  Tensor counts_as_floats_;  // 0, 1, … top_n: gathering from it turns an i32 count into a float on the device
  std::map<std::string, Tensor> observed_;
};

}  // namespace sagcl::semiagcl
