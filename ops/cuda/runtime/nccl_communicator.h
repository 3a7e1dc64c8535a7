#pragma once
#include <memory>

#include "engine/processes/communicator.h"

namespace sagcl::ops::cuda {

/// Connects the one GPU of every process in `host` by NCCL, whose library libnccl.so.2 is opened now (SAGCL_NCCL names
/// another). Tensors on the GPU travel on the stream of the computation, those in main memory through `host`. BackendError
/// with NCCL's or the loader's reason; also wherever the host waits for the GPU and another process has failed or has not
/// come for half an hour (SAGCL_NCCL_TIMEOUT: seconds).
std::unique_ptr<engine::Communicator> connect_gpus(engine::Communicator& host);

}  // namespace sagcl::ops::cuda
