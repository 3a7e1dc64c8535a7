#include "semiagcl/training/batch_feed.h"

namespace sagcl::semiagcl {

using datasets::Batch;
using engine::Tensor;

BatchFeed::BatchFeed(std::unique_ptr<datasets::TwoStreamBatches> batches, engine::Device device)
    : batches_(std::move(batches)), device_(device) {}

BatchFeed::Sent BatchFeed::send(Batch batch) const {
  std::vector<Tensor> tensors;
  for (Tensor Batch::*part : Batch::tensors)
    if ((batch.*part).defined()) tensors.push_back(batch.*part);
  return {std::move(batch), std::make_unique<engine::Upload>(std::move(tensors), device_)};
}

Batch BatchFeed::next() {
  current_ = following_.tensors ? std::move(following_) : send(batches_->next());
  Batch batch = std::move(current_.batch);
  std::vector<Tensor> tensors = current_.tensors->arrive();
  auto arrived = tensors.begin();
  for (Tensor Batch::*part : Batch::tensors)
    if ((batch.*part).defined()) batch.*part = std::move(*arrived++);
  // A batch that is not ready must not hold up this step; the CPU has nothing to copy.
  if (!device_.is_cpu() && batches_->ready()) following_ = send(batches_->next());
  return batch;
}

}  // namespace sagcl::semiagcl
