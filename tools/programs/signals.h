#pragma once
#include <exception>

namespace sagcl::tools {

/// SIGINT, SIGTERM and SIGUSR1 set a flag instead of ending the program; a second SIGINT ends it at once (files are written
/// atomically, so nothing is lost but the work since the last checkpoint).
void catch_signals();

/// The signal that asked to stop, 0 if none. Polled between steps, cases and checkpoints.
int stop_signal();

/// Where there is nothing to save yet: throws Stopped if a signal asked to stop.
struct Stopped : std::exception {};
void leave_if_asked();

}  // namespace sagcl::tools
