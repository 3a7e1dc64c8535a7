#include "semiagcl/kernels/backend.h"

#include <dlfcn.h>

#include "engine/devices/per_device.h"
#include "engine/devices/plugin.h"
#include "ops/kernels/launch_cpu.h"
#include "semiagcl/kernels/shared_backend.inl"

namespace sagcl::semiagcl {
namespace {

engine::PerDevice<PaperBackend>& registry() {
  static engine::PerDevice<PaperBackend> all;
  return all;
}

}  // namespace

PaperBackend& paper_backend(engine::Device device) {
  if (device.is_cpu()) {
    static SharedPaperBackend<ops::CpuLaunch> built_in;
    return built_in;
  }
  if (PaperBackend* registered = registry().find(device)) return *registered;
  using Entry = PaperBackend* (*)();
  std::string why;
  const auto entry = reinterpret_cast<Entry>(
      engine::plugin_entry("libsagcl_cuda.so", "sagcl_plugin_paper_backend", RTLD_NOW | RTLD_LOCAL, why));
  engine::require<engine::DeviceError>(entry, "the paper's kernels are not there for {}: {}", device, why);
  PaperBackend& backend = *entry();
  registry().set(device, backend);
  return backend;
}

void register_paper_backend(engine::Device device, PaperBackend& backend) { registry().set(device, backend); }

}  // namespace sagcl::semiagcl
