#pragma once
#include <string>

namespace sagcl::engine {

class Communicator;

/// Raised whenever the layout of Tensor, Backend or DeviceRuntime changes: a plugin of another build is refused.
inline constexpr int plugin_version = 6;

/// What a plugin answers: whether the device can be used now, and what it is or why not.
struct PluginAnswer {
  bool ready = false;
  char text[1024] = "";
};

/// The entry `sagcl_plugin_start` of libsagcl_cuda.so: makes the device known to engine and ops. Entries are `extern "C"`
/// and never throw.
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
