#include "tools/programs/signals.h"

#include <csignal>
#include <cstring>
#include <initializer_list>

namespace sagcl::tools {
namespace {

volatile std::sig_atomic_t received = 0;

void note(int signal) {
  received = signal;
  if (signal == SIGINT) std::signal(SIGINT, SIG_DFL);  // the next one is not caught
}

}  // namespace

void catch_signals() {
  struct sigaction action;
  std::memset(&action, 0, sizeof action);
  action.sa_handler = note;
  for (int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaction(signal, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // `| tee log` goes with the same Ctrl-C, before what is done has been saved
}

int stop_signal() { return received; }

void leave_if_asked() {
  if (received) throw Stopped();
}

}  // namespace sagcl::tools
