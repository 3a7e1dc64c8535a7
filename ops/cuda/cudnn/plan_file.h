#pragma once
#include <map>
#include <mutex>
#include <string>

namespace sagcl::ops::cuda {

/// Which engine was fastest for which convolution, kept between runs: a run then repeats the choices of the first one, and
/// with them its bits. A text file, one "key<tab>engine" a line, after a line that names GPU and cuDNN; a file of another
/// GPU or version is not used and is replaced.
class PlanFile {
 public:
  /// `path` empty: choices are kept for this process only. `machine` is the first line.
  PlanFile(std::string path, std::string machine);

  std::string find(const std::string& key) const;  ///< empty when unknown
  /// Remembers and writes the file anew, through a temporary one; false when it could not be written.
  bool remember(const std::string& key, const std::string& engine);
  bool is_kept() const { return !path_.empty(); }

 private:
  std::string path_, machine_;
  std::map<std::string, std::string> engines_;
  mutable std::mutex mutex_;
};

/// SAGCL_PLANS if set ("" or "off" for none), else sagcl/plans-<machine>.txt in XDG_CACHE_HOME or ~/.cache, which is made.
std::string default_plan_path(const std::string& machine);

}  // namespace sagcl::ops::cuda
