#include "semiagcl/training/batch_feed.h"

namespace sagcl::semiagcl {

using datasets::Batch;
using engine::Tensor;

BatchFeed::BatchFeed(std::unique_ptr<datasets::TwoStreamBatches> batches, engine::Device device)
    : batches_(std::move(batches)), device_(device) {}

BatchFeed::Sent BatchFeed::send(Batch batch) const {
  std::vector<Tensor> tensors{std::exchange(batch.weak, {}), std::exchange(batch.strong, {}),
                              std::exchange(batch.label, {})};
  return {std::move(batch), std::make_unique<engine::Upload>(std::move(tensors), device_)};
}

Batch BatchFeed::next() {
  current_ = following_.tensors ? std::move(following_) : send(batches_->next());
  Batch batch = std::move(current_.batch);
  std::vector<Tensor> tensors = current_.tensors->arrive();
  batch.weak = std::move(tensors[0]), batch.strong = std::move(tensors[1]), batch.label = std::move(tensors[2]);
  // A batch that is not ready must not hold up this step; the CPU has nothing to copy.
  if (!device_.is_cpu() && batches_->ready()) following_ = send(batches_->next());
  return batch;
}

}  // namespace sagcl::semiagcl
