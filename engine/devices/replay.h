#pragma once
#include <functional>
#include <memory>

#include "engine/place.h"
#include "engine/random.h"

namespace sagcl::engine {

/// Work that is done again and again on the same memory. On a device that can record (CUDA graphs) the second run is
/// recorded and later ones replay it: hundreds of kernels start with one call, and the host goes on at once. The results
/// have the same bits.
///
/// What changes from run to run must be read from memory when the kernels run: inputs, numbers, and the keys of the
/// generator that the work is given. Memory the work asks for while it is recorded is its own until the Replay ends.
class Replay {
 public:
  Replay(Device device, bool enabled);
  ~Replay();

  /// One run of `work`, all of whose randomness is next_key() of `random` and its forks. The first run is always direct, so
  /// that libraries make their choices; so is every run where the device cannot record or `enabled` is false.
  void run(const Generator& random, const std::function<void(const Generator&)>& work);

 private:
  class Recorded;
  Device device_;
  bool enabled_, ran_ = false;
  std::unique_ptr<Recorded> recorded_;
};

}  // namespace sagcl::engine
