#pragma once
#include <functional>
#include <string>

#include "engine/devices/device_choice.h"
#include "engine/processes/communicator.h"

namespace sagcl::tools {

/// Runs `body` in this process, or in each of those that mpirun or srun started together. Only the first of them tells and
/// prints; but a failure is told by the process it happens in, and ends all of them with its exit code.
int run_in_processes(const std::string& program, const std::function<int(engine::Communicator&)>& body);

/// How many share this machine's memory: those started together, times SAGCL_PROCESSES_HERE, which sagcl-bench sets for the
/// runs that it starts side by side.
int processes_here();

/// This process's device: "auto" and "cuda" give every process of a machine a GPU of its own. UsageError if some processes
/// would train on GPUs and others not.
engine::DeviceChoice device_of_process(const std::string& wanted, const std::string& precision, engine::Communicator& ranks);

/// Divides the machine's cores among its processes, unless mpirun has bound each of them to its own.
void share_cores(const engine::Communicator& ranks);

}  // namespace sagcl::tools
