#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace sagcl::ops::cuda {

/// How long one of several ways took.
struct Timing {
  enum Outcome { ran, refused, no_room } outcome = refused;
  float ms = 0;  ///< if it ran
};

/// Which engine was fastest for which convolution, kept between runs: a run then repeats the choices of the first one, and
/// with them its bits. A text file, one "key<tab>engine" a line, after a line that names GPU and cuDNN; a file of another
/// GPU or version is not used and is replaced. Processes may share it: what one has written the others keep.
class PlanFile {
 public:
  /// `path` empty: choices are kept for this process only. `machine` is the first line.
  PlanFile(std::string path, std::string machine);

  std::string find(const std::string& key) const;  ///< empty when unknown
  /// The engine for `key` from now on: this one, or the one that another process has written meanwhile, if it is one of
  /// `usable`. What cannot be written holds for this process, and is said on stderr.
  std::string remember(const std::string& key, const std::string& engine, const std::vector<std::string>& usable);
  /// The fastest of `engines` for a key whose engine is not known or not one of them, remembered. `time(i, shortest)` times
  /// engines[i]; `shortest` is the best so far, ms. If one found no room the choice is not kept: with room it may be
  /// another. BackendError if none runs.
  std::string settle(const std::string& key, const std::vector<std::string>& engines,
                     const std::function<Timing(std::size_t i, float shortest)>& time);
  bool is_kept() const { return !path_.empty(); }

 private:
  std::map<std::string, std::string> read() const;  ///< empty unless the file is this machine's
  bool write(const std::string& key, const std::vector<std::string>& usable);

  std::string path_, machine_;
  std::map<std::string, std::string> engines_;
  mutable std::mutex mutex_;
};

/// SAGCL_PLANS if set ("" or "off" for none), else sagcl/plans-<machine>.txt in XDG_CACHE_HOME or ~/.cache, which is made.
std::string default_plan_path(const std::string& machine);

}  // namespace sagcl::ops::cuda
