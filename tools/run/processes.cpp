#include "tools/run/processes.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "engine/parallel.h"
#include "engine/processes/connect.h"
#include "tools/programs/program.h"

namespace sagcl::tools {

namespace {

int ranks_here = 1;

}  // namespace

int processes_here() {
  const char* beside = std::getenv("SAGCL_PROCESSES_HERE");
  return ranks_here * std::max(1, beside ? std::atoi(beside) : 1);
}

int run_in_processes(const std::string& program, const std::function<int(engine::Communicator&)>& body) {
  const std::unique_ptr<engine::Communicator> ranks = engine::connect();
  if (!ranks) return body(engine::alone());
  ranks_here = ranks->local_size();
  if (ranks->rank() > 0) be_silent();
  try {
    return body(*ranks);
  } catch (...) {
    std::string message;
    const int code = exit_code_of_current_exception(message);
    // A mistake in the command line or the data happens in all processes: the others leave the first one time to tell it.
    if (ranks->rank() > 0) std::this_thread::sleep_for(std::chrono::seconds(1));
    print_error(program, fmt::format("process {} of {}: {}", ranks->rank(), ranks->size(), message));
    std::fflush(nullptr);
    ranks->abort(code);
    return code;  // not reached
  }
}

engine::DeviceChoice device_of_process(const std::string& wanted, const std::string& precision,
                                       engine::Communicator& ranks) {
  const engine::DeviceChoice choice = engine::resolve_device(wanted, precision, ranks.local_rank());
  const bool cpu = choice.device == engine::Device::cpu();
  const bool all_cpu = !engine::any(ranks, !cpu), no_cpu = !engine::any(ranks, cpu);
  engine::require<engine::UsageError>(all_cpu || no_cpu,
                                      "some processes have a GPU and others have none (here: {}): start as "
                                      "many on each machine as it has GPUs, or use --device cpu",
                                      choice.text);
  return choice;
}

void share_cores(const engine::Communicator& ranks) {
  const int cores = int(std::thread::hardware_concurrency());  // those this process may use
  const bool bound = cores < int(::sysconf(_SC_NPROCESSORS_ONLN));
  if (!bound) engine::set_threads(std::max(1, cores / ranks.local_size()));
}

}  // namespace sagcl::tools
