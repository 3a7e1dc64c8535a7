#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/philox.h"

namespace sagcl::engine {

/// A counter-based random stream, passed explicitly. It is fully described by (seed, purpose, step) and the number of
/// words drawn so far, so any draw can be made again: resuming a run is setting the step.
class Generator {
 public:
  /// `purpose` names what the numbers are for ("dropout", "crop"); equal names give equal numbers.
  Generator(std::uint64_t seed, std::string_view purpose, std::uint64_t step = 0);

  /// An independent stream for a part of the work, e.g. a sample of the batch or a layer.
  Generator fork(std::uint64_t index) const;

  std::uint32_t word() { return key_.word(drawn_++); }
  double uniform() { return unit(word()); }                                        ///< in [0, 1)
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  std::int64_t integer(std::int64_t n);                                            ///< in [0, n), without bias
  double normal();                                                                 ///< mean 0, variance 1 (Box-Muller)
  bool coin(double probability = 0.5) { return uniform() < probability; }
  std::vector<std::int64_t> permutation(std::int64_t n);                           ///< Fisher-Yates

  /// The key of a fresh stream for a kernel that draws by element index; each call gives another.
  RandomKey next_key();

  /// The same stream, whose keys kernels read from table[0], table[1], … in the order of next_key(). For work that is
  /// recorded: before each run the table is filled with that run's keys.
  Generator reading(const RandomKey* table) const;
  const RandomKey* unread() const { return table_; }  ///< behind the last entry given out; nullptr without a table

 private:
  RandomKey key_;
  std::uint64_t drawn_ = 0;
  const RandomKey* table_ = nullptr;
};

}  // namespace sagcl::engine
