#pragma once
#include "semiagcl/training/training_method.h"

namespace sagcl::semiagcl {

/// The labelled cases alone: the lower bound every other method is measured against.
class Supervised final : public TrainingMethod {
 public:
  bool uses_unlabelled() const override { return false; }
};

}  // namespace sagcl::semiagcl
