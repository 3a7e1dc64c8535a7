#pragma once
#include <string>

#include "semiagcl/settings/config.h"
#include "semiagcl/training/tensor_watch.h"
#include "tools/inspect/inspected_step.h"

namespace sagcl::tools {

/// What a step works on and what its method makes of it: the samples, and those values of engine/show.h that its method
/// shows.
///
///   student.image, student.logits            what the student sees, mixed with M where a method does so, and its answer
///   teacher.image, teacher.probabilities     the same of the averaged network
///   pseudo_labels                            i32 [n,D,H,W], -1 where none is sure enough
///   X, C, score                              images, class maps and scores by Eq. 1 of the patches, [N,P,K]
///   picks, counted                           the Top-n of every class, and how many stand for it (semiagcl/sampling.h)
///   A                                        Eq. 2's graphs [G,P,P]
///   q, k, H                                  anchors, keys and their hard negatives (Eq. 6)
///   closest, allowed, bank.affinity, theta   what H is mixed from (semiagcl/hard_negatives.h)
struct BatchView {
  std::string about;
  semiagcl::Method method;
  std::vector<std::string> classes;
  semiagcl::TensorWatch seen;

  bool has(const char* name) const { return seen.find(name).defined(); }
};
BatchView batch_view(InspectedStep& subject);

std::string batch_text(const BatchView& view);
std::string batch_json(const BatchView& view);
/// One page of pictures that stands alone; of at most `most` samples.
std::string batch_page(const BatchView& view, std::int64_t most = 12);

}  // namespace sagcl::tools
