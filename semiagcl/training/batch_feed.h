#pragma once
#include <memory>

#include "datasets/batches.h"
#include "engine/devices/upload.h"

namespace sagcl::semiagcl {

/// The batches of a phase on the training device: while one is trained on, the next is on its way.
class BatchFeed {
 public:
  BatchFeed(std::unique_ptr<datasets::TwoStreamBatches> batches, engine::Device device);

  /// The next batch with its tensors on the device. Waits for its preparation, not for its copy.
  datasets::Batch next();
  double seconds_waited() const { return batches_->seconds_waited(); }  ///< for preparation, so far

 private:
  struct Sent {
    datasets::Batch batch;  ///< with its tensors on the host
    std::unique_ptr<engine::Upload> tensors;
  };
  Sent send(datasets::Batch batch) const;
  std::unique_ptr<datasets::TwoStreamBatches> batches_;
  engine::Device device_;
  Sent current_, following_;
};

}  // namespace sagcl::semiagcl
