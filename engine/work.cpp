#include "engine/work.h"

namespace sagcl::engine {
namespace {
thread_local double done = 0;
}

double work_done() { return done; }
void count_work(double operations) { done += operations; }

}  // namespace sagcl::engine
