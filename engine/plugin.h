#pragma once
#include <string>

#include "engine/place.h"

namespace sagcl::engine {

/// Arithmetic of convolutions on f32 tensors: exact products (fp32), products of operands rounded to 10 bits of mantissa
/// (tf32: what GPU frameworks do by default) or to 7 bits (bf16). Sums are f32 always. Devices without such units use fp32.
enum class Precision { fp32, tf32, bf16 };
/// As set; else fp32, and on a GPU that resolve_device() chose tf32, unless SAGCL_PRECISION names another.
Precision precision();
void set_precision(Precision precision);
Precision precision_from(const std::string& name);   ///< "fp32", "tf32", "bf16"; UsageError for any other
std::string to_string(Precision precision);

/// A device and one line on why it was chosen: "cuda:0: NVIDIA H100, 79 GiB, cuDNN 9.19.0, convolutions in tf32" or
/// "cpu: no CUDA driver on this machine".
struct DeviceChoice {
  Device device;
  std::string text;
};

/// "cpu", "cuda" (the first GPU), "cuda:N", or "auto": the first GPU when one can be used, else the CPU and the reason.
/// Loads the plugin libsagcl_cuda.so from the folder of the program or from ../lib, once the driver was found.
/// DeviceError with the reason when a GPU is asked for and there is none; UsageError for any other text.
DeviceChoice resolve_device(const std::string& wanted);

// --- between this file and a plugin -------------------------------------------------------------------------------

/// Raised whenever the layout of Tensor, Backend or DeviceRuntime changes: a plugin of another build is refused.
inline constexpr int plugin_version = 1;

/// What a plugin answers: whether the device can be used now, and what it is or why not.
struct PluginAnswer {
  bool ready = false;
  char text[1024] = "";
};

/// The plugin's only entry, `extern "C" void sagcl_plugin_start(int version, int device, PluginAnswer*)`: makes the device
/// known to engine and ops. Never throws.
using PluginStart = void (*)(int version, int device, PluginAnswer* answer);

}  // namespace sagcl::engine
