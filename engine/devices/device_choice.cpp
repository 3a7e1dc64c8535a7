#include "engine/devices/device_choice.h"

#include <dlfcn.h>

#include <map>
#include <mutex>

#include "engine/devices/libraries.h"
#include "engine/devices/plugin.h"
#include "engine/error.h"

namespace sagcl::engine {
namespace {

/// Makes cuda:index usable; the text says what it is or why it cannot be used.
PluginAnswer start_cuda(int index) {
  PluginAnswer answer;
  auto refuse = [&](const std::string& reason) {
    fmt::format_to_n(answer.text, sizeof answer.text - 1, "{}", reason);
    return answer;
  };
  // The driver first: it is a tenth of a millisecond, while the CUDA libraries behind the plugin take a tenth of a second.
  if (!dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL))
    return refuse("no CUDA driver on this machine (libcuda.so.1 not found)");
  std::string searched;
  const std::string file = find_plugin("libsagcl_cuda.so", searched);
  if (file.empty()) return refuse("built without CUDA, or libsagcl_cuda.so was moved (looked in " + searched + ")");
  std::string error;
  void* library = open_library(file, RTLD_NOW | RTLD_LOCAL, error);
  if (!library)
    return refuse(
        fmt::format("the CUDA plugin cannot be loaded: {}; put the folder of the CUDA libraries into LD_LIBRARY_PATH "
                    "or SAGCL_CUDA_LIBS",
                    error));
  const auto start = reinterpret_cast<PluginStart>(dlsym(library, "sagcl_plugin_start"));
  if (!start) return refuse(file + " is not a sagcl plugin");
  start(plugin_version, index, &answer);
  return answer;
}

const PluginAnswer& cuda(int index) {
  static std::mutex mutex;
  static std::map<int, PluginAnswer> answers;
  std::lock_guard lock(mutex);
  if (!answers.count(index)) answers[index] = start_cuda(index);
  return answers[index];
}

DeviceChoice on_gpu(int index, const PluginAnswer& answer, const std::string& precision) {
  const Precision p = precision == "auto" ? Precision::tf32 : precision_from(precision);
  set_precision(p);
  return {Device::cuda(index), p, fmt::format("cuda:{}: {}, convolutions in {}", index, answer.text, to_string(p))};
}

DeviceChoice on_cpu(const std::string& reason, const std::string& precision) {
  const Precision p = precision == "auto" ? Precision::fp32 : precision_from(precision);
  require<UsageError>(
      p != Precision::tf32,
      "precision {} needs a GPU, and the device is cpu ({}): CPU arithmetic is fp32, it has no units that multiply "
      "rounded operands faster. Choose --precision fp32, bf16 (slower here) or auto, or --device cuda",
      precision, reason);
  set_precision(p);
  return {Device::cpu(), p, "cpu: " + reason + (p == Precision::bf16 ? ", activations in bf16, arithmetic in fp32" : "")};
}

}  // namespace

DeviceChoice resolve_device(const std::string& wanted, const std::string& precision, int first) {
  if (wanted == "cpu") return on_cpu("asked for", precision);
  if (wanted == "auto") {
    const PluginAnswer& answer = cuda(first);
    return answer.ready ? on_gpu(first, answer, precision) : on_cpu(answer.text, precision);
  }
  int index = first;
  const bool numbered = wanted.rfind("cuda:", 0) == 0 && wanted.size() > 5 && wanted.size() < 9 &&
                        wanted.find_first_not_of("0123456789", 5) == std::string::npos;
  if (numbered) index = std::stoi(wanted.substr(5));
  require<UsageError>(numbered || wanted == "cuda", "device '{}' is unknown; choose auto, cpu, cuda or cuda:N", wanted);
  const PluginAnswer& answer = cuda(index);
  require<DeviceError>(answer.ready, "device cuda:{} cannot be used: {}", index, answer.text);
  return on_gpu(index, answer, precision);
}

}  // namespace sagcl::engine
