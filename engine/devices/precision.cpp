#include "engine/devices/precision.h"

#include <atomic>

#include "engine/error.h"

namespace sagcl::engine {
namespace {

std::atomic<Precision> chosen_precision{Precision::fp32};

}  // namespace

Precision precision() { return chosen_precision; }
void set_precision(Precision precision) { chosen_precision = precision; }

Precision precision_from(const std::string& name) {
  for (Precision p : {Precision::fp32, Precision::tf32, Precision::bf16})
    if (name == to_string(p)) return p;
  fail<UsageError>("precision '{}' is unknown; choose auto, fp32, tf32 or bf16", name);
}

std::string to_string(Precision precision) {
  return precision == Precision::fp32 ? "fp32" : precision == Precision::tf32 ? "tf32" : "bf16";
}

}  // namespace sagcl::engine
