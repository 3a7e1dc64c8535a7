#pragma once
#include <string>

#include "engine/place.h"

namespace sagcl::engine {

class Communicator;

/// Arithmetic of convolutions on f32 tensors: exact products (fp32), products of operands rounded to 10 bits of mantissa
/// (tf32: what GPU frameworks do by default) or to 7 bits (bf16). Tensors, and with them weights, statistics and losses, and
/// all sums are f32 always. The CPU has units for f32 products alone.
enum class Precision { fp32, tf32, bf16 };
Precision precision();  ///< as set last, by resolve_device() too; fp32 before
void set_precision(Precision precision);
Precision precision_from(const std::string& name);  ///< "fp32", "tf32", "bf16"; UsageError for any other
std::string to_string(Precision precision);

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
/// DeviceError with the reason when a GPU is asked for and there is none; UsageError for any other text, and for a
/// precision other than fp32 on the CPU. "auto" and "cuda" mean GPU `first`: each process of a machine takes its own.
DeviceChoice resolve_device(const std::string& wanted, const std::string& precision = "auto", int first = 0);

// --- between this file and a plugin -------------------------------------------------------------------------------

/// Raised whenever the layout of Tensor, Backend or DeviceRuntime changes: a plugin of another build is refused.
inline constexpr int plugin_version = 5;

/// What a plugin answers: whether the device can be used now, and what it is or why not.
struct PluginAnswer {
  bool ready = false;
  char text[1024] = "";
};

/// The plugin's only entry, `extern "C" void sagcl_plugin_start(int version, int device, PluginAnswer*)`: makes the device
/// known to engine and ops. Never throws.
using PluginStart = void (*)(int version, int device, PluginAnswer* answer);

/// The entry `sagcl_plugin_connect` of libsagcl_mpi.so: all processes that were started together, or nullptr and why not.
using PluginConnect = Communicator* (*)(int version, PluginAnswer* answer);

/// The entry `sagcl_plugin_connect_gpus` of libsagcl_cuda.so, after its start: the GPUs of the processes in `host`.
using PluginConnectGpus = Communicator* (*)(Communicator* host, PluginAnswer* answer);

/// The function `entry` of a plugin, which is found as below and opened with dlopen's `flags`; nullptr, and `why`, if it
/// cannot be had.
void* plugin_entry(const std::string& file, const std::string& entry, int flags, std::string& why);

/// Where the plugin is: in the folder SAGCL_PLUGINS names, beside the program or in ../lib. Empty when it is nowhere;
/// `searched` then lists the folders.
std::string find_plugin(const std::string& file, std::string& searched);

}  // namespace sagcl::engine
