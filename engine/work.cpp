#include "engine/work.h"

namespace sagcl::engine {
namespace {
thread_local double done = 0, moved = 0;
}

double work_done() { return done; }
void count_work(double operations) { done += operations; }
double bytes_moved() { return moved; }
void count_bytes(double bytes) { moved += bytes; }

}  // namespace sagcl::engine
