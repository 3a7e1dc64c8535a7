#pragma once
#include <filesystem>
#include <string>

#include "engine/devices/device_runtime.h"

namespace sagcl::engine {

/// Main memory as this process may use it: what the machine has and has free, and less where a control group of the process,
/// or one above it, has a limit (a container, a job of SLURM; versions 1 and 2). `groups` is the content of
/// /proc/self/cgroup; limits that cannot be read are taken as none.
MemorySource::Room with_limits(MemorySource::Room machine, const std::string& groups,
                               const std::filesystem::path& root = "/sys/fs/cgroup");

}  // namespace sagcl::engine
