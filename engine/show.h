#pragma once
#include "engine/tensor.h"

namespace sagcl::engine {

/// Hears of values that code shows while it computes: "A", "C", "pseudo_labels". In semiagcl/ they have the paper's symbols.
class ShowListener {
 public:
  virtual ~ShowListener() = default;
  /// `value` may be overwritten later: keep a clone.
  virtual void shown(const char* name, const Tensor& value) = 0;
};

/// Listens to what this thread shows until the end of its scope.
class Showing {
 public:
  explicit Showing(ShowListener& listener);
  ~Showing();
  Showing(const Showing&) = delete;

 private:
  ShowListener* before_;
};

/// Shows a value to whoever listens; costs the look whether there is someone.
void show(const char* name, const Tensor& value);

}  // namespace sagcl::engine
