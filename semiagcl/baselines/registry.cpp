#include "semiagcl/baselines/registry.h"

#include <algorithm>
#include <optional>

#include "semiagcl/baselines/action.h"
#include "semiagcl/baselines/arco.h"
#include "semiagcl/baselines/bcp.h"
#include "semiagcl/baselines/double_uncertainty.h"
#include "semiagcl/baselines/dtc.h"
#include "semiagcl/baselines/mc_net.h"
#include "semiagcl/baselines/mean_teacher.h"
#include "semiagcl/baselines/sassnet.h"
#include "semiagcl/baselines/ss_net.h"
#include "semiagcl/baselines/supervised.h"
#include "semiagcl/baselines/uncertainty_aware.h"
#include "semiagcl/baselines/urpc.h"
#include "semiagcl/semi_agcl.h"

namespace sagcl::semiagcl {
namespace {

template <class M>
std::unique_ptr<TrainingMethod> make(const RunSettings& settings, const layers::SegmenterSpec& spec, engine::Device device) {
  return std::make_unique<M>(settings, spec, device);
}

/// What the mean teachers read: with_warm_up, AveragedNetwork, Trainer (ema_decay, ramp_share, evaluated), batch_spec.
const std::vector<std::string> read_by_mean_teachers = {
    "method.warm_up_share", "method.average_warm_up", "method.teacher_dropout", "method.ema_decay",
    "method.evaluated",     "method.w_reg",           "method.ramp_share",      "train.unlabelled"};

/// And methods whose networks learn alone.
const std::vector<std::string> read_without_teacher = {"method.warm_up_share", "method.ramp_share", "train.unlabelled"};

bool lists(const MethodEntry& method, const std::string& key) {
  return std::any_of(method.reads.begin(), method.reads.end(),
                     [&](const std::string& read) { return read.ends_with('.') ? key.starts_with(read) : key == read; });
}

const MethodEntry& method_of(const RunSettings& settings) {
  std::string names;
  for (const MethodEntry& entry : training_methods()) {
    if (settings.train.method == entry.name) return entry;
    names += (names.empty() ? "" : ", ") + std::string(entry.name);
  }
  engine::fail<engine::UsageError>("unknown method '{}': choose one of {}", settings.train.method, names);
}

/// What other settings decide: whether `key` is read, if they do.
std::optional<bool> by_other_settings(const RunSettings& settings, const std::string& key) {
  const bool masked = settings.train.method == "semi-agcl" && settings.method.mask;
  if (key == "mix.box" && (masked || settings.augment.copy_paste != "never")) return true;
  if (key == "mix.largest_component" && masked) return true;
  if ((key == "method.consistency" || key == "method.labelled_anchors") && masked) return false;
  return std::nullopt;
}

}  // namespace

const std::vector<MethodEntry>& training_methods() {
  static const std::vector<MethodEntry> entries = {
      {"supervised", "the labelled cases alone", "-", make<Supervised>, {"method.warm_up_share"}},
      {"mean-teacher", "consistency with an averaged copy of the network", "Tarvainen & Valpola, NeurIPS 2017",
       make<MeanTeacher>, read_by_mean_teachers},
      {"ua-mt", "mean teacher with consistency only where eight passes with dropout are certain", "Yu et al., MICCAI 2019",
       make<UncertaintyAwareMeanTeacher>, read_by_mean_teachers},
      {"double-ua",
       "mean teacher weighed by the uncertainty of its answers and features; a reconstruction",
       "Wang et al., MICCAI 2020",
       make<DoubleUncertainty>,
       {"method.warm_up_share", "method.average_warm_up", "method.teacher_dropout", "method.ema_decay", "method.evaluated",
        "method.ramp_share", "train.unlabelled"}},
      {"sassnet", "signed distance maps whose shapes a discriminator judges", "Li et al., MICCAI 2020",
       make<ShapeAwareNetwork>, read_without_teacher,
       "what its discriminator learns from depends on the student, and is constant to the gradient by intention"},
      {"dtc", "signed distance maps that agree with the segmentation", "Luo et al., AAAI 2021", make<DualTaskConsistency>,
       read_without_teacher},
      {"urpc", "four scales of the decoder agree, less where they are uncertain", "Luo et al., MICCAI 2021",
       make<UncertaintyRectifiedPyramid>, read_without_teacher},
      {"mc-net", "two decoders, each learning from the other's sharpened output", "Wu et al., MICCAI 2021",
       make<MutualConsistency>, read_without_teacher},
      {"mc-net-plus", "three decoders, each learning from the others' sharpened outputs", "Wu et al., MedIA 2022",
       make<MutualConsistencyPlus>, read_without_teacher},
      {"ss-net", "smooth around every image, features of a class together", "Wu et al., MICCAI 2022", make<SsNet>,
       read_without_teacher,
       "the adversarial direction and the answer it is compared with depend on the student, and are constant to the "
       "gradient "
       "by intention"},
      {"action",
       "relational distillation, then CutMix and a contrast of voxels",
       "You et al., IPMI 2023",
       make<Action>,
       {"method.warm_up_share", "method.average_warm_up", "method.teacher_dropout", "method.evaluated",
        "method.projection_dim", "train.unlabelled", "mix.box", "contrast.pre_training_share"},
       "the keys that a voxel is contrasted with are the student's own features, and constant to the gradient by intention"},
      {"arco",
       "the same with memory banks, drawn from by strata, equivariance and nearest neighbours",
       "You et al., NeurIPS 2023",
       make<Arco>,
       {"method.warm_up_share", "method.average_warm_up", "method.teacher_dropout", "method.evaluated",
        "method.projection_dim", "method.bank_size", "train.unlabelled", "mix.box", "contrast."}},
      {"bcp",
       "labelled and unlabelled images pasted into each other",
       "Bai et al., CVPR 2023",
       make<BidirectionalCopyPaste>,
       {"method.warm_up_share", "method.teacher_dropout", "method.evaluated", "train.unlabelled", "mix."}},
      {"semi-agcl",
       "affinity graph and contrastive learning with hard negatives",
       "Cheng et al., BIBM 2024",
       make<SemiAgcl>,
       {"method.", "train.unlabelled"}},
  };
  return entries;
}

bool method_reads(const RunSettings& settings, const std::string& key) {
  const bool listed = lists(method_of(settings), key);
  if (const std::optional<bool> decided = by_other_settings(settings, key)) return *decided;
  if (listed) return true;
  const auto& all = training_methods();
  return std::none_of(all.begin(), all.end(), [&](const MethodEntry& method) { return lists(method, key); });
}

std::unique_ptr<TrainingMethod> make_training_method(const RunSettings& settings, const layers::SegmenterSpec& spec,
                                                     engine::Device device) {
  return method_of(settings).make(settings, spec, device);
}

}  // namespace sagcl::semiagcl
