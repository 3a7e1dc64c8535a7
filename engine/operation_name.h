#pragma once
#include "engine/ranges.h"

namespace sagcl::engine {

/// Names the running operation in out-of-memory errors, and as a Range to listeners, until the end of the scope.
class OperationName {
 public:
  explicit OperationName(const char* name);
  ~OperationName();
  static const char* current();

 private:
  const char* outer_;
  Range range_;
};

}  // namespace sagcl::engine
