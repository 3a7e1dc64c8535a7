#pragma once
#include <memory>

#include "engine/place.h"
#include "engine/processes/communicator.h"

namespace sagcl::engine {

/// Joins the processes that mpirun or srun started with this one, through the plugin libsagcl_mpi.so; nullptr when there are
/// no others. They part when the result is destroyed. UsageError when there are others and the plugin is missing, cannot
/// start, or sees another number of them.
std::unique_ptr<Communicator> connect();

/// What carries tensors on `device` between the processes of `host`: NCCL for GPUs, nullptr where `host` does it itself (the
/// CPU, or one process). `host` must outlive it. BackendError with the reason when the GPUs cannot be connected.
std::unique_ptr<Communicator> connect_devices(Communicator& host, Device device);

}  // namespace sagcl::engine
