#include "tools/run/event_file.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "engine/files/atomic_file.h"
#include "tools/run/run_folder.h"

namespace sagcl::tools {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view head = "events.out.tfevents.";  // of the names

/// Seconds since 1970.
double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

void add(EventSummary& scalars, const std::string& tag, const Json& number) {
  if (number.is_number()) scalars.scalar(tag, number.get<double>());
}

void add_step(EventSummary& scalars, const Json& line) {
  for (const auto& [key, value] : line.items()) {
    if (key == "loss") add(scalars, "loss/all", value);
    else if (key == "terms")
      for (const auto& [name, term] : value.items()) add(scalars, "loss/" + name, term);
    else if (key != "step") add(scalars, "train/" + key, value);
  }
}

void add_dice(EventSummary& scalars, const Json& line) {
  const std::string tag = fmt::format("dice/{}/{}", line["phase"].get<std::string>(), line["network"].get<std::string>());
  add(scalars, tag, line["dice"]);
  if (line["per_class"].size() < 2) return;
  for (std::size_t k = 0; k < line["per_class"].size(); ++k)
    add(scalars, fmt::format("{}/class {}", tag, k + 1), line["per_class"][k]);
}

void add_gradients(EventSummary& scalars, const std::string& line) {
  const auto [terms, layers] = gradient_point(line, "metrics.jsonl").gradients;
  for (const auto& layer : layers)
    for (std::size_t a = 0; a < terms.size(); ++a)
      scalars.scalar(fmt::format("gradient/{}/{}", terms[a], layer.name), layer.norm(a));
}

void add_watched(EventSummary& scalars, const Json& line) {
  for (const auto& [name, numbers] : line["tensors"].items())
    for (const char* number : {"mean", "std", "norm"})
      add(scalars, fmt::format("watch/{}/{}", name, number), numbers[number]);
}

}  // namespace

std::vector<fs::path> event_files(const fs::path& run) {
  std::vector<fs::path> files;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(run, missing)) {
    const std::string name = entry.path().filename().string();
    const bool ours = name.starts_with(head) && name.ends_with(".sagcl");
    if (ours && name.find_first_not_of("0123456789", head.size()) == name.size() - 6) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());  // "0." of former versions before "0000000001."
  return files;
}

std::string event_records(const std::string& line, double time, std::int64_t& last) {
  try {
    const Json json = Json::parse(line);
    const std::string phase = json.at("phase");
    const std::int64_t step = json.at("step");
    EventSummary scalars;
    std::string start;
    if (phase == "train") {
      if (step <= last) start = session_start(step, time);
      last = step;
      add_step(scalars, json);
    } else if (phase == "gradients") {
      add_gradients(scalars, line);
    } else if (phase == "watch") {
      add_watched(scalars, json);
    } else if (phase != "note" && phase != "hashes") {
      add_dice(scalars, json);
    }
    return start + scalars.record(step, time);
  } catch (const Json::exception& e) {
    engine::fail<engine::DataError>("metrics.jsonl: a line cannot be read ({}): {}", e.what(), line.substr(0, 200));
  }
}

void EventFile::begin(const fs::path& run, const std::string& metrics, std::int64_t step) {
  const std::vector<fs::path> before = event_files(run);
  const bool first = before.empty();
  const auto number = first ? 0 : std::stoll(before.back().filename().string().substr(head.size())) + 1;
  const fs::path path = run / fmt::format("{}{:010}.sagcl", head, number);
  std::string events = event_file_head(now());
  if (!first) events += session_start(step, now());
  for (std::size_t begin = 0, end; (end = metrics.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string line = metrics.substr(begin, end - begin);
    if (first || Json::parse(line, nullptr, false).value("step", std::int64_t(0)) >= step)
      events += event_records(line, now(), last_);
  }
  last_ = step;
  engine::write_file_atomically(path, events);
  path_ = path;
  out_.open(path_, std::ios::app | std::ios::binary);
}

void EventFile::line(const std::string& text) { out_ << event_records(text, now(), last_) << std::flush; }

void EventFile::look(std::int64_t step, const EventSummary& histograms_and_pictures) {
  out_ << histograms_and_pictures.record(step, now()) << std::flush;
}

}  // namespace sagcl::tools
