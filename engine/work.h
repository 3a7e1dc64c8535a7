#pragma once

namespace sagcl::engine {

/// Floating-point operations, a multiplication and an addition being two, that this thread has been told of so far.
/// Convolutions and matrix products tell theirs by their definition, whatever an algorithm saves; nothing else does.
double work_done();
void count_work(double operations);

/// Bytes that operations had to move at least, told by the tape: forward what they were called with and their result,
/// backward the gradient of the result and those of the inputs. What an operation keeps for itself is not in it.
double bytes_moved();
void count_bytes(double bytes);

}  // namespace sagcl::engine
