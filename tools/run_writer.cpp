#include "tools/run_writer.h"

#include <sys/utsname.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>

#include "datasets/nifti.h"
#include "datasets/png.h"
#include "engine/parallel.h"
#include "tools/program.h"

namespace sagcl::tools {
namespace {

using Json = nlohmann::ordered_json;

Json number(double v) { return std::isfinite(v) ? Json(v) : Json(nullptr); }

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

Json environment(const engine::DeviceChoice& device) {
  utsname system{};
  uname(&system);
  return {{"schema_version", 1},
          {"sagcl", SAGCL_VERSION},
          {"build", SAGCL_BUILD_TYPE},
          {"compiler", __VERSION__},
          {"cpu", {{"model", processor()}, {"cores", std::thread::hardware_concurrency()}}},
          {"threads", engine::threads()},
          {"device", device.text},
          {"precision", engine::to_string(device.precision)},
          {"system", fmt::format("{} {} {}", system.sysname, system.release, system.machine)}};
}

}  // namespace

RunWriter::RunWriter(const std::filesystem::path& folder) : folder_(folder) {
  make_folder(folder_ / "checkpoints");
  make_folder(folder_ / "predictions");
  metrics_.open(folder_ / "metrics.jsonl", std::ios::app);
  engine::require<engine::IoError>(metrics_.good(), "{}: cannot be written; check the folder's permissions", (folder_ / "metrics.jsonl").string());
}

void RunWriter::start(const std::string& config, const std::string& command, const engine::DeviceChoice& device) {
  engine::write_file_atomically(folder_ / "config.toml", config);
  engine::write_file_atomically(folder_ / "command.txt", command + "\n");
  engine::write_file_atomically(folder_ / "env.json", environment(device).dump(2) + "\n");
  status("running", 0, 0, "");
}

void RunWriter::line(const std::string& text) {
  metrics_ << text << '\n' << std::flush;
  engine::require<engine::IoError>(metrics_.good(), "{}: writing failed; free some space, then continue with --resume",
                                     (folder_ / "metrics.jsonl").string());
}

void RunWriter::train(const semiagcl::StepReport& r) {
  Json j = {{"step", r.step}, {"phase", "train"}, {"loss", number(r.loss)}, {"terms", Json::object()}, {"ramp", r.ramp}, {"lr", r.learning_rate}};
  for (const auto& [name, value] : r.terms) j["terms"][name] = number(value);
  for (const auto& [name, value] : r.observations) j[name] = number(value);
  j["seconds"] = r.seconds;
  line(j.dump());
}

void RunWriter::validation(const ValidationPoint& p) {
  line(Json{{"step", p.step}, {"phase", p.cases}, {"network", p.network}, {"dice", number(p.dice)}, {"per_class", p.per_class}}.dump());
}

void RunWriter::checkpoint(std::int64_t step, const engine::TensorFile& content) {
  const std::filesystem::path folder = folder_ / "checkpoints";
  engine::write_safetensors(folder / fmt::format("step-{:07}.safetensors", step), content);
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
  std::sort(files.rbegin(), files.rend());
  std::error_code ignored;  // an old checkpoint that cannot be removed only takes space
  for (std::size_t i = 2; i < files.size(); ++i) std::filesystem::remove(files[i], ignored);
}

void RunWriter::prediction(const datasets::Sample& sample, const engine::Tensor& mask, const datasets::Dataset& dataset) {
  const std::filesystem::path base = folder_ / "predictions" / sample.id;
  if (sample.geometry.measured || mask.shape()[0] > 1) return datasets::write_nifti(base.string() + ".nii.gz", mask, sample.geometry);
  engine::Tensor pixels = mask.reshape({mask.shape()[1], mask.shape()[2]}).clone();
  if (dataset.labels.threshold > 0)  // masks that were cut at a threshold are written black and white again
    for (std::int64_t i = 0; i < pixels.size(); ++i) pixels.data<std::uint8_t>()[i] = pixels.data<std::uint8_t>()[i] ? 255 : 0;
  datasets::write_png(base.string() + ".png", pixels);
}

void RunWriter::status(const std::string& state, std::int64_t step, double seconds, const std::string& reason) {
  Json j = {{"schema_version", 1}, {"state", state}, {"step", step}, {"seconds", seconds}, {"peak_MiB", std::int64_t(peak_resident_mib())}};
  if (!reason.empty()) j["reason"] = reason;
  engine::write_file_atomically(folder_ / "status.json", j.dump(2) + "\n");
}

void RunWriter::forget_after(std::int64_t step) {
  const std::filesystem::path file = folder_ / "metrics.jsonl";
  metrics_.close();
  std::string kept;
  const std::string all = engine::read_file(file);
  for (std::size_t begin = 0; begin < all.size();) {
    const std::size_t end = std::min(all.find('\n', begin), all.size());
    const Json j = Json::parse(all.substr(begin, end - begin), nullptr, false);
    if (j.is_object() && j.contains("step") && j["step"].is_number_integer() && j["step"].get<std::int64_t>() <= step)
      kept += all.substr(begin, end - begin) + "\n";
    begin = end + 1;
  }
  engine::write_file_atomically(file, kept);
  metrics_.open(file, std::ios::app);
}

double RunWriter::seconds_so_far() const {
  if (!std::filesystem::exists(folder_ / "status.json")) return 0;
  const Json j = Json::parse(engine::read_file(folder_ / "status.json"), nullptr, false);
  return j.is_object() && j.contains("seconds") && j["seconds"].is_number() ? j["seconds"].get<double>() : 0;
}

}  // namespace sagcl::tools
