#pragma once

namespace sagcl::engine {

/// Floating-point operations, a multiplication and an addition being two, that this thread has been told of so far.
/// Convolutions and matrix products tell theirs by their definition, whatever an algorithm saves; nothing else does.
double work_done();
void count_work(double operations);

}  // namespace sagcl::engine
