#include "engine/parallel.h"

#include <omp.h>

#include "engine/error.h"

namespace sagcl::engine {
namespace {
int& setting() {
  static int n = omp_get_max_threads();
  return n;
}
}  // namespace

int threads() { return omp_in_parallel() ? 1 : setting(); }

void set_threads(int n) {
  require<UsageError>(n >= 1, "the number of threads must be at least 1, got {}", n);
  setting() = n;
  omp_set_num_threads(n);
}

}  // namespace sagcl::engine
