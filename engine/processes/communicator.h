#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "engine/place.h"

namespace sagcl::engine {

/// The processes that train one network together, each with a copy of it. All calls but abort() are collective: every
/// process makes the same ones in the same order, from the thread that trains. BackendError when the library below fails.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;  ///< 0 … size() - 1
  virtual int size() const = 0;
  virtual int local_rank() const = 0;  ///< among the processes on this machine
  virtual int local_size() const = 0;

  /// `all` has room for size() parts of `bytes` on `device`; part rank() is there, the others are filled in.
  virtual void all_gather(void* all, std::size_t bytes, Device device) = 0;

  /// Part r of `send` goes to process r; part r of `receive` is what process r had for this one.
  virtual void all_to_all(const void* send, void* receive, std::size_t bytes, Device device) = 0;

  /// Ends all processes; the program that started them returns `code`.
  [[noreturn]] virtual void abort(int code) = 0;
};

/// A world of one process.
Communicator& alone();

/// Every process's text, in order of rank.
std::vector<std::string> gather(Communicator& ranks, const std::string& mine);

/// True if it is for some process.
bool any(Communicator& ranks, bool mine);

/// Returns when all processes have come here.
void wait_for_all(Communicator& ranks);

}  // namespace sagcl::engine
