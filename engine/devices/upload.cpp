#include "engine/devices/upload.h"

#include "engine/devices/device_registry.h"

namespace sagcl::engine {

Upload::Upload(std::vector<Tensor> host, Device device) : queue_(runtime(device).copy_queue()), host_(std::move(host)) {
  if (!queue_) {
    for (const Tensor& t : host_) copies_.push_back(t.to(device));
    host_.clear();
    return;
  }
  for (const Tensor& t : host_) copies_.push_back(Tensor::empty(t.shape(), t.dtype(), device));
  queue_->after_work();  // the allocator may have given us blocks that work under way still reads
  for (std::size_t i = 0; i < host_.size(); ++i)
    queue_->copy(copies_[i].bytes_begin(), host_[i].bytes_begin(), host_[i].bytes());
  end_ = queue_->mark();
}

Upload::~Upload() {
  if (!end_) return;
  try {
    queue_->wait(end_);     // from here on host memory and, if nobody took them, the copies' blocks may serve others
  } catch (const Error&) {  // the device has failed: whatever is asked of it next says so
  }
}

std::vector<Tensor> Upload::arrive() {
  require<UsageError>(!copies_.empty(), "an upload arrives once");
  if (end_) queue_->before_work(end_);
  return std::exchange(copies_, {});
}

}  // namespace sagcl::engine
