// sagcl-gpu-check COMMAND... [--device cuda:N] [--json FILE] [--only TEXT] [--precision P] [--steps N] [--small]
// Commands: parity repeat conv weight steps bench bandwidth overlap all. Exit code 77 where there is no GPU: then the tests
// are skipped.
#include "tests/gpu/gpu_check.h"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>
#include <map>
#include <vector>

#include "engine/devices/device_choice.h"
#include "engine/devices/device_registry.h"
#include "engine/devices/precision.h"

namespace sagcl::gpu {
namespace {

int cases_offered = 0, cases_selected = 0;

}  // namespace

bool selected(const Options& options, const std::string& name) {
  const bool is = name.find(options.only) != std::string::npos;
  ++cases_offered, cases_selected += is;
  return is;
}

void report(const Options& options, const std::string& stage, const std::string& name, const std::string& json_fields) {
  fmt::print("{:9} {:46} {}\n", stage, name, json_fields);
  std::fflush(stdout);
  if (!options.json.empty())
    std::ofstream(options.json, std::ios::app)
        << fmt::format("{{\"stage\": \"{}\", \"name\": \"{}\", {}}}\n", stage, name, json_fields);
}

double time_ms(Device device, int repeats, const std::function<void()>& f) {
  f();
  f();
  engine::runtime(device).synchronize();
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < repeats; ++i) f();
  engine::runtime(device).synchronize();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count() / repeats;
}

double relative_error(const Tensor& a, const Tensor& b) {
  const std::vector<double> x = a.to_doubles(), y = b.to_doubles();
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < x.size(); ++i) difference += (x[i] - y[i]) * (x[i] - y[i]), size += y[i] * y[i];
  if (!std::isfinite(difference)) return std::numeric_limits<double>::infinity();
  return size > 0 ? std::sqrt(difference / size) : std::sqrt(difference);
}

}  // namespace sagcl::gpu

int main(int argc, char** argv) {
  using namespace sagcl::gpu;
  const std::map<std::string, int (*)(const Options&)> commands = {
      {"parity", op_parity},        {"repeat", op_repeat},     {"conv", conv_sweep},
      {"weight", weight_gradients}, {"steps", step_parity},    {"replay", step_replay},
      {"bench", step_times},        {"bandwidth", bandwidths}, {"overlap", upload_overlap}};
  Options options;
  std::string device = "cuda";
  std::vector<std::string> wanted;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool has_value = i + 1 < argc;
    if (word == "--small") options.small = true;
    else if (word == "--device" && has_value) device = argv[++i];
    else if (word == "--json" && has_value) options.json = argv[++i];
    else if (word == "--only" && has_value) options.only = argv[++i];
    else if (word == "--precision" && has_value) options.precision = argv[++i];
    else if (word == "--steps" && has_value) options.steps = std::stoi(argv[++i]);
    else if (word == "all")
      wanted = {"parity", "repeat", "conv", "weight", "steps", "replay", "overlap", "bandwidth", "bench"};
    else if (commands.count(word)) wanted.push_back(word);
    else {
      fmt::print(stderr,
                 "sagcl-gpu-check: what is '{}'? Commands: parity repeat conv weight steps replay bench bandwidth overlap "
                 "all\n",
                 word);
      return 2;
    }
  }
  try {
    if (!options.precision.empty()) (void)sagcl::engine::precision_from(options.precision);
    const sagcl::engine::DeviceChoice choice = sagcl::engine::resolve_device(device);
    options.device = choice.device;
    fmt::print("{}\n", choice.text);
  } catch (const sagcl::engine::DeviceError& e) {
    fmt::print("skipped: {}\n", e.what());
    return 77;
  } catch (const sagcl::engine::UsageError& e) {
    fmt::print(stderr, "sagcl-gpu-check: {}\n", e.what());
    return 2;
  }
  int failures = 0;
  for (const std::string& command : wanted) {
    try {
      failures += commands.at(command)(options);
    } catch (const std::exception& e) {
      fmt::print("{}: FAILED: {}\n", command, e.what());
      ++failures;
    }
  }
  if (sagcl::gpu::cases_offered > 0 && sagcl::gpu::cases_selected == 0) {
    fmt::print("no case's name contains '{}'\n", options.only);
    ++failures;
  }
  fmt::print("{} failure(s)\n", failures);
  return failures ? 1 : 0;
}
