#include "ops/cpu/kernels.h"

#include <fmt/ranges.h>

#include <cstdlib>

#include "engine/error.h"

namespace sagcl::ops::cpu {

namespace baseline {
extern const Kernels table;
}
#ifdef SAGCL_X86_KERNELS
namespace avx2 {
extern const Kernels table;
}
namespace avx512 {
extern const Kernels table;
}
#endif

namespace {

std::vector<const Kernels*> runnable() {
  std::vector<const Kernels*> tables;
#ifdef SAGCL_X86_KERNELS
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl"))
    tables.push_back(&avx512::table);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) tables.push_back(&avx2::table);
#endif
  tables.push_back(&baseline::table);
  return tables;
}

const Kernels* by_name(const std::string& name) {
  for (const Kernels* table : runnable())
    if (name == table->name) return table;
  engine::fail<engine::UsageError>("no CPU kernels named '{}' here, choose one of: {}", name,
                                   fmt::join(available_kernels(), ", "));
}

const Kernels*& chosen() {
  static const char* const named = std::getenv("SAGCL_ISA");
  static const Kernels* table = named ? by_name(named) : runnable().front();
  return table;
}

}  // namespace

const Kernels& kernels() { return *chosen(); }

const Kernels& kernels_for([[maybe_unused]] std::int64_t columns) {
#ifdef SAGCL_X86_KERNELS
  static const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (has_avx2 && &kernels() == &avx512::table && columns <= avx2::table.lanes) return avx2::table;
#endif
  return kernels();
}

std::vector<std::string> available_kernels() {
  std::vector<std::string> names;
  for (const Kernels* table : runnable()) names.push_back(table->name);
  return names;
}

void use_kernels(const std::string& name) { chosen() = by_name(name); }

}  // namespace sagcl::ops::cpu
