#include "tools/run/run_writer.h"

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "datasets/formats/nifti.h"
#include "datasets/formats/png.h"
#include "engine/files/atomic_file.h"
#include "engine/files/read_file.h"
#include "engine/parallel.h"
#include "tools/programs/json_text.h"
#include "tools/programs/program.h"
#include "tools/programs/version.h"
#include "tools/report/report.h"
#include "tools/run/method_look.h"
#include "tools/run/metrics_csv.h"
#include "tools/run/run_state.h"

namespace sagcl::tools {
namespace {

using Json = nlohmann::ordered_json;

Json finite_or_null(double v) { return std::isfinite(v) ? Json(v) : Json(nullptr); }

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
          {"sagcl", version()},
          {"build", SAGCL_BUILD_TYPE},
          {"compiler", __VERSION__},
          {"cpu", {{"model", processor()}, {"cores", std::thread::hardware_concurrency()}}},
          {"threads", engine::threads()},
          {"device", device.text},
          {"precision", engine::to_string(device.precision)},
          {"system", fmt::format("{} {} {}", system.sysname, system.release, system.machine)}};
}

}  // namespace

RunWriter::RunWriter(const std::filesystem::path& folder, std::int64_t parameters, bool watch_npy)
    : folder_(folder), parameters_(parameters), watch_npy_(watch_npy) {
  make_folder(folder_ / "checkpoints");
  make_folder(folder_ / "predictions");
  std::error_code missing;  // looks
  for (const auto& part : {folder_, folder_ / "checkpoints", folder_ / "predictions", folder_ / "looks"})
    for (const auto& entry : std::filesystem::directory_iterator(part, missing))
      if (engine::is_temporary(entry.path())) std::filesystem::remove(entry.path());
}

void RunWriter::start(const std::string& settings, const std::string& command, const engine::DeviceChoice& device) {
  metrics("", 0);
  forget_looks(folder_, -1);
  engine::write_file_atomically(folder_ / "command.txt", command + "\n");
  engine::write_file_atomically(folder_ / "env.json", json_text(environment(device), 2) + "\n");
  status("running", 0, 0, "");
  config(settings);
}

void RunWriter::go_on(std::int64_t attempt, std::int64_t step) {
  const std::filesystem::path file = folder_ / "metrics.jsonl";
  metrics(std::filesystem::exists(file) ? kept_metrics(engine::read_file(file), attempt, step) : "", step);
  forget_looks(folder_, step);
}

/// Begins metrics.jsonl with these lines; the run is at `step`.
void RunWriter::metrics(const std::string& text, std::int64_t step) {
  const std::filesystem::path file = folder_ / "metrics.jsonl";
  engine::write_file_atomically(file, text);
  metrics_.open(file, std::ios::app);
  engine::require<engine::IoError>(metrics_.good(), "{}: cannot be written; check the folder's permissions", file.string());
  events_.begin(folder_, text, step);
}

void RunWriter::config(const std::string& settings) { engine::write_file_atomically(folder_ / "config.toml", settings); }

void RunWriter::note(std::int64_t step, const std::string& text) {
  line(json_text(Json{{"step", step}, {"phase", "note"}, {"text", text}}));
}

void RunWriter::line(const std::string& text) {
  metrics_ << text << '\n' << std::flush;
  events_.line(text);
  engine::require<engine::IoError>(metrics_.good() && events_.good(),
                                   "{}: writing failed; free some space, then continue with --resume",
                                   (folder_ / "metrics.jsonl").string());
}

void RunWriter::train(const semiagcl::StepReport& r) {
  Json j = {{"step", r.step},          {"phase", "train"}, {"loss", finite_or_null(r.values.loss)},
            {"terms", Json::object()}, {"ramp", r.ramp},   {"lr", r.learning_rate}};
  for (const auto& [name, value] : r.values.terms) j["terms"][name] = finite_or_null(value);
  for (const auto& [name, value] : r.values.observations) j[name] = finite_or_null(value);
  j["seconds"] = r.seconds;
  line(json_text(j));
  if (r.gradients) line(gradients_line({r.step, *r.gradients}));
  if (r.watched) line(watch_line(r.step, r.watched->tensors));
  if (r.watched && watch_npy_) write_npy_files(folder_ / "watch" / fmt::format("step-{:07}", r.step), r.watched->tensors);
  if (!r.hashes.empty()) line(hashes_line({r.step, r.hashes}));
}

void RunWriter::validation(const ValidationPoint& p) {
  line(json_text(Json{{"step", p.step},
                      {"phase", p.cases},
                      {"network", p.network},
                      {"dice", finite_or_null(p.dice)},
                      {"per_class", p.per_class}}));
}

void RunWriter::look(std::int64_t step, layers::Module& network, const std::optional<OverlayCase>& slice) {
  EventSummary seen;
  for (const auto& [name, p] : layers::parameters_in_order(network))
    if (p->shape().rank() > 1) seen.histogram("weights/" + name, p->value().to_doubles());
  if (slice) {
    const OverlayPicture picture = overlay_picture(*slice);
    seen.image("slice/validation", picture.png, picture.height, picture.width);
  }
  events_.look(step, seen);
}

void RunWriter::summaries() const {
  const RunRecord run = read_run(folder_);
  engine::write_file_atomically(folder_ / "metrics.csv", metrics_csv(run));
  engine::write_file_atomically(folder_ / "progress.png", progress_png(run));
}

void RunWriter::checkpoint(std::int64_t step, const engine::TensorFile& content) {
  // What was recorded up to a checkpoint is as durable as the checkpoint: nobody will write it again.
  for (const auto& file : {folder_ / "metrics.jsonl", events_.path()})
    if (const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC); fd >= 0) ::fsync(fd), ::close(fd);
  const std::filesystem::path file = folder_ / "checkpoints" / fmt::format("step-{:07}.safetensors", step);
  engine::write_safetensors(file, content);
  std::error_code ignored;  // an old checkpoint that cannot be removed only takes space
  std::int64_t kept = 0;
  for (const auto& other : checkpoint_files(folder_))  // the newest first
    if (step_of_checkpoint(other) > step || ++kept > checkpoints_kept) std::filesystem::remove(other, ignored);
}

std::filesystem::path RunWriter::prediction(const datasets::Sample& sample, const engine::Tensor& mask,
                                            const datasets::Dataset& dataset) {
  const std::string base = (folder_ / "predictions" / sample.id).string();
  if (sample.geometry.measured || !sample.geometry.nifti_header.empty() || mask.shape()[0] > 1) {
    datasets::write_nifti(base + ".nii.gz", mask, sample.geometry);
    return base + ".nii.gz";
  }
  engine::Tensor pixels = mask.reshape({mask.shape()[1], mask.shape()[2]}).clone();
  if (dataset.labels.threshold > 0)  // masks that were cut at a threshold are written black and white again
    for (std::int64_t i = 0; i < pixels.size(); ++i)
      pixels.data<std::uint8_t>()[i] = pixels.data<std::uint8_t>()[i] ? 255 : 0;
  datasets::write_png(base + ".png", pixels);
  return base + ".png";
}

void RunWriter::status(const std::string& state, std::int64_t step, double seconds, const std::string& reason) {
  Json j = {{"schema_version", 1},
            {"state", state},
            {"step", step},
            {"checkpoints", checkpoint_files(folder_).size()},
            {"seconds", seconds},
            {"peak_MiB", std::int64_t(peak_resident_mib())},
            {"parameters", parameters_}};
  if (!reason.empty()) j["reason"] = reason;
  engine::write_file_atomically(folder_ / "status.json", json_text(j, 2) + "\n");
}

}  // namespace sagcl::tools
