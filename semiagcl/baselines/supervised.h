#pragma once
#include "semiagcl/training/training_method.h"
#include "semiagcl/training/warm_up.h"

namespace sagcl::semiagcl {

/// The labelled cases alone: the lower bound every other method is measured against. It has the warm-up of the others, so
/// that all have the same start and the same learning rates.
class Supervised final : public TrainingMethod {
 public:
  Supervised(const RunSettings& settings, const layers::SegmenterSpec&, engine::Device) : settings_(settings) {}

  std::vector<Phase> phases() override {
    return with_warm_up(settings_, nullptr, {.name = "supervised", .objective = supervised_objective});
  }

 private:
  const RunSettings& settings_;
};

}  // namespace sagcl::semiagcl
