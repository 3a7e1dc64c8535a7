#include "engine/ranges.h"

#include <atomic>

namespace sagcl::engine {
namespace {

std::atomic<RangeListener*> current_listener{nullptr};

RangeListener* begin(const char* name) {
  RangeListener* listener = current_listener.load(std::memory_order_acquire);
  if (listener) listener->begin(name);
  return listener;
}

}  // namespace

void listen_to_ranges(RangeListener* listener) { current_listener.store(listener, std::memory_order_release); }

Range::Range(const char* name) : listener_(begin(name)) {}

Range::~Range() {
  if (listener_) listener_->end();
}

void Range::next(const char* name) {
  if (listener_) listener_->end();
  listener_ = begin(name);
}

}  // namespace sagcl::engine
