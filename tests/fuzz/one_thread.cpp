#include "engine/parallel.h"

// Stands in for engine/parallel.cpp, which needs OpenMP's library for clang; the readers run on one thread anyway.
namespace sagcl::engine {
int threads() { return 1; }
void set_threads(int) {}
}  // namespace sagcl::engine
