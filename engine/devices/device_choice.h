#pragma once
#include <string>

#include "engine/devices/precision.h"
#include "engine/place.h"

namespace sagcl::engine {

/// A device, the precision of its convolutions and one line on why it was chosen: "cuda:0: NVIDIA H100, 79 GiB, cuDNN
/// 9.19.0, convolutions in tf32" or "cpu: no CUDA driver on this machine".
struct DeviceChoice {
  Device device;
  Precision precision = Precision::fp32;
  std::string text;
};

/// "cpu", "cuda" (the first GPU), "cuda:N", or "auto": the first GPU when one can be used, else the CPU and the reason.
/// Loads the plugin libsagcl_cuda.so from the folder of the program or from ../lib, once the driver was found.
/// `precision` is a name of precision_from() or "auto": tf32 on a GPU, fp32 on the CPU; it becomes that of the process.
/// DeviceError with the reason when a GPU is asked for and there is none; UsageError for any other text, and for
/// tf32 on the CPU. "auto" and "cuda" mean GPU `first`: each process of a machine takes its own.
DeviceChoice resolve_device(const std::string& wanted, const std::string& precision = "auto", int first = 0);

}  // namespace sagcl::engine
