#pragma once
#include <functional>

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
  bool waits_for_host() const override { return method_.mask && settings_.mix.largest_component; }
  NamedModules modules() override;
  void convert_to(engine::Dtype dtype) override { bank_.convert_to(dtype); }
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

  /// What the terms are computed from; rows are images.
  struct Views {
    Tensor weak, strong;                ///< what teacher and student see
    Tensor map = {};                    ///< C, the class map [N,D,H,W,K]: the truth where it is known, else the teacher's
    Tensor probabilities = {};          ///< the teacher's, which the student's are compared with
    layers::Segmentation student = {};  ///< of the strong views
    std::function<Tensor()> bottleneck = {};  ///< the teacher's, of the weak views
  };

  std::vector<Term> terms(StepInput& in);
  std::vector<Term> mixed_terms(StepInput& in);
  void after_update(const StepUpdate& update);
  bool contrasts() const { return method_.mixing != Mixing::none && method_.w_rw != 0; }
  Variable embed(const Variable& features, layers::ProjectionHead& head) const;
  Term affinity_term(StepInput& in, const Tensor& target, const Variable& logits, Found& found) const;
  Variable contrast(StepInput& in, const Views& views, Found& found);

  const Method& method_;  // of the settings
  std::int64_t classes_;
  std::unique_ptr<layers::ProjectionHead> head_, teacher_head_;
  MemoryBank bank_;
  Tensor counts_as_floats_;  // 0, 1, … top_n: gathering from it turns an i32 count into a float on the device
  std::map<std::string, Tensor> observed_;
};

}  // namespace sagcl::semiagcl
