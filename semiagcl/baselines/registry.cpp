#include "semiagcl/baselines/bcp.h"
#include "semiagcl/baselines/mean_teacher.h"
#include "semiagcl/baselines/supervised.h"
#include "semiagcl/baselines/uncertainty_aware.h"
#include "semiagcl/semi_agcl.h"

namespace sagcl::semiagcl {
namespace {

template <class M>
std::unique_ptr<TrainingMethod> make(const RunSettings& settings, const layers::SegmenterSpec& spec, engine::Device device) {
  return std::make_unique<M>(settings, spec, device);
}

}  // namespace

const std::vector<MethodEntry>& training_methods() {
  static const std::vector<MethodEntry> entries = {
      {"supervised", "the labelled cases alone", "-", make<Supervised>},
      {"mean-teacher", "consistency with an averaged copy of the network", "Tarvainen & Valpola, NeurIPS 2017",
       make<MeanTeacher>},
      {"ua-mt", "mean teacher where eight passes with dropout agree that it is sure", "Yu et al., MICCAI 2019",
       make<UncertaintyAwareMeanTeacher>},
      {"bcp", "labelled and unlabelled images pasted into each other", "Bai et al., CVPR 2023",
       make<BidirectionalCopyPaste>},
      {"semi-agcl", "affinity graph and contrastive learning with hard negatives", "Cheng et al., BIBM 2024",
       make<SemiAgcl>},
  };
  return entries;
}

std::unique_ptr<TrainingMethod> make_training_method(const RunSettings& settings, const layers::SegmenterSpec& spec,
                                                     engine::Device device) {
  std::string names;
  for (const MethodEntry& entry : training_methods()) {
    if (settings.train.method == entry.name) return entry.make(settings, spec, device);
    names += (names.empty() ? "" : ", ") + std::string(entry.name);
  }
  engine::fail<engine::UsageError>("unknown method '{}': choose one of {}", settings.train.method, names);
}

}  // namespace sagcl::semiagcl
