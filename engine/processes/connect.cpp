#include "engine/processes/connect.h"

#include <dlfcn.h>

#include <cstdlib>
#include <string>

#include "engine/devices/plugin.h"
#include "engine/error.h"

namespace sagcl::engine {
namespace {

/// How many processes mpirun or srun started with this one: 0 if nobody did, -1 if it does not say.
int launched() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"})  // Open MPI; MPICH and its kin
    if (const char* text = std::getenv(name)) return std::atoi(text);
  return std::getenv("PMIX_RANK") ? -1 : 0;
}

/// The plugin's function; `Error` with the reason if it cannot be had. `flags` are dlopen's.
template <class F, class Error>
F entry_of(const char* plugin, const char* entry, int flags, const std::string& need) {
  std::string why;
  const auto f = reinterpret_cast<F>(plugin_entry(plugin, entry, flags, why));
  require<Error>(f, "{}: {}", need, why);
  return f;
}

}  // namespace

std::unique_ptr<Communicator> connect() {
  const int processes = launched();
  if (processes == 0 || processes == 1) return nullptr;
  // Open MPI's own modules look for its symbols among the global ones.
  const auto f = entry_of<PluginConnect, UsageError>("libsagcl_mpi.so", "sagcl_plugin_connect", RTLD_NOW | RTLD_GLOBAL,
                                                     "several processes were started together, which needs MPI");
  PluginAnswer answer;
  std::unique_ptr<Communicator> world(f(plugin_version, &answer));
  require<UsageError>(world != nullptr, "several processes were started together: {}", answer.text);
  require<UsageError>(processes < 0 || world->size() == processes,
                      "{} processes were started, but MPI sees {}: mpirun belongs to another MPI than the one this program "
                      "was built with",
                      processes, world->size());
  return world;
}

std::unique_ptr<Communicator> connect_devices(Communicator& host, Device device) {
  if (device == Device::cpu() || host.size() == 1) return nullptr;
  const auto f = entry_of<PluginConnectGpus, BackendError>("libsagcl_cuda.so", "sagcl_plugin_connect_gpus",
                                                           RTLD_NOW | RTLD_LOCAL, "several GPUs");
  PluginAnswer answer;
  std::unique_ptr<Communicator> gpus(f(&host, &answer));
  require<BackendError>(gpus != nullptr, "the GPUs of {} processes cannot be connected: {}", host.size(), answer.text);
  return gpus;
}

}  // namespace sagcl::engine
