#include "semiagcl/kernels/backend.h"

#include "engine/per_device.h"
#include "engine/plugin.h"
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
  const auto entry = reinterpret_cast<Entry>(engine::device_plugin_entry(device, "sagcl_plugin_paper_backend"));
  engine::require<engine::DeviceError>(entry, "the paper's kernels are not built for {}", device);
  PaperBackend& backend = *entry();
  registry().set(device, backend);
  return backend;
}

void register_paper_backend(engine::Device device, PaperBackend& backend) { registry().set(device, backend); }

}  // namespace sagcl::semiagcl
