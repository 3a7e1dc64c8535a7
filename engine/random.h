#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/philox.h"

namespace sagcl::engine {

/// Where the keys of recorded work stand when its kernels run.
class KeyPlaces {
 public:
  /// The place of key `number` of the stream that is reached from the root by these forks.
  virtual const RandomKey* place(const std::vector<std::uint64_t>& forks, std::uint64_t number) = 0;

 protected:
  ~KeyPlaces() = default;
};

/// A counter-based random stream, passed explicitly. It is fully described by (seed, purpose, step) and the number of
/// words drawn so far, so any draw can be made again: resuming a run is setting the step.
class Generator {
 public:
  /// `purpose` names what the numbers are for ("dropout", "crop"); equal names give equal numbers.
  Generator(std::uint64_t seed, std::string_view purpose, std::uint64_t step = 0);

  /// An independent stream for a part of the work, e.g. a sample of the batch or a layer.
  Generator fork(std::uint64_t index) const;

  std::uint32_t word() {
    if (places_) refuse();  // a number drawn now would be the same in every replay
    return key_.word(drawn_++);
  }
  double uniform() { return unit(word()); }  ///< in [0, 1)
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  std::int64_t integer(std::int64_t n);  ///< in [0, n), without bias
  double normal();                       ///< mean 0, variance 1 (Box-Muller)
  bool coin(double probability = 0.5) { return uniform() < probability; }
  std::vector<std::int64_t> permutation(std::int64_t n);  ///< Fisher-Yates

  /// The key of a fresh stream for a kernel that draws by element index; each call gives another.
  RandomKey next_key();

  RandomKey key(std::uint64_t number) const;  ///< what next_key() gives when it is called for the (number + 1)-th time

  /// This stream as the root of recorded work: of it and its forks only next_key() may be asked, and kernels read the keys
  /// from their places.
  Generator reading(KeyPlaces& places) const;

 private:
  [[noreturn]] static void refuse();
  RandomKey key_;
  std::uint64_t drawn_ = 0;
  KeyPlaces* places_ = nullptr;
  std::vector<std::uint64_t> forks_;  // from the root of recorded work to here
};

}  // namespace sagcl::engine
