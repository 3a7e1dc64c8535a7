#include "tools/inspect/profile.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/devices/device_registry.h"
#include "tools/programs/json_text.h"
#include "tools/programs/text_table.h"

namespace sagcl::tools {
namespace {

using Rows = std::vector<std::pair<std::string, Profile::Row>>;

std::vector<std::string> parts_of(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0, end; begin <= path.size(); begin = end + 1) {
    end = std::min(path.find('/', begin), path.size());
    parts.push_back(path.substr(begin, end - begin));
  }
  return parts;
}

void add(Rows& rows, const std::string& name, const Profile::Row& row) {
  auto found = std::find_if(rows.begin(), rows.end(), [&](const auto& r) { return r.first == name; });
  if (found == rows.end()) found = rows.insert(rows.end(), {name, {}});
  found->second.calls += row.calls, found->second.all += row.all, found->second.own += row.own;
}

/// Phases are the ranges right inside "step"; operations the innermost ones, under the phase they belong to.
struct Views {
  Rows phases, operations;
  double step = 0;

  explicit Views(const Profile& profile) {
    for (const auto& [path, row] : profile.rows()) {
      const std::vector<std::string> parts = parts_of(path);
      if (parts.size() == 1) step += row.all;
      if (parts.size() == 2) add(phases, parts[1], row);
      if (parts.size() > 2 && row.own > 0) add(operations, parts[1] + " " + parts.back(), row);
    }
    for (Rows* rows : {&phases, &operations})
      std::stable_sort(rows->begin(), rows->end(), [](const auto& a, const auto& b) { return a.second.own > b.second.own; });
    std::stable_sort(phases.begin(), phases.end(), [](const auto& a, const auto& b) { return a.second.all > b.second.all; });
  }
};

std::string table(const char* what, const Rows& rows, double Profile::Row::*value, double step, std::int64_t steps) {
  TextTable t({what, "calls", "ms", "share"});
  double shown = 0;
  constexpr std::size_t most = 40;
  for (std::size_t i = 0; i < std::min(most, rows.size()); ++i) {
    const auto& [name, row] = rows[i];
    shown += row.*value;
    t.row({name, number(double(row.calls) / double(steps), 1), number(row.*value / double(steps)),
           number(100 * row.*value / step, 1) + " %"});
  }
  t.rule();
  if (rows.size() > most) t.row({fmt::format("and {} more, not listed", rows.size() - most), "", "", ""});
  t.row({"together", "", number(shown / double(steps)), number(100 * shown / step, 1) + " %"});
  return t.text();
}

}  // namespace

Profile::Profile(engine::Device device)
    : device_(device), thread_(std::this_thread::get_id()), start_(std::chrono::steady_clock::now()) {
  engine::listen_to_ranges(this);
}

Profile::~Profile() { engine::listen_to_ranges(nullptr); }

double Profile::now() const {
  engine::runtime(device_).synchronize();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start_).count();
}

void Profile::begin(const char* name) {
  if (!ours()) return;
  open_.push_back({open_.empty() ? name : open_.back().path + "/" + name, name, now()});
}

void Profile::end() {
  if (!ours() || open_.empty()) return;
  const Open range = std::move(open_.back());
  open_.pop_back();
  const double length = now() - range.begun;
  Row& row = rows_[range.path];
  ++row.calls, row.all += length, row.own += length - range.inside;
  if (!open_.empty()) open_.back().inside += length;
  if (events_.size() < most_events) events_.push_back({range.name, range.begun, length});
}

std::string Profile::trace() const {
  nlohmann::ordered_json json = {{"displayTimeUnit", "ms"}};
  json["traceEvents"] = nlohmann::ordered_json::array();
  for (const Event& e : events_)
    json["traceEvents"].push_back(
        {{"name", e.name}, {"ph", "X"}, {"ts", 1000 * e.begun}, {"dur", 1000 * e.length}, {"pid", 0}, {"tid", 0}});
  return json_text(json) + "\n";
}

std::string profile_text(const Profile& profile, std::int64_t steps) {
  const Views views(profile);
  return fmt::format("{} steps of {:.2f} ms; calls and times are of one step\n\n", steps, views.step / double(steps)) +
         table("phase", views.phases, &Profile::Row::all, views.step, steps) + "\n" +
         table("operation, without what is inside", views.operations, &Profile::Row::own, views.step, steps);
}

std::string profile_json(const Profile& profile, std::int64_t steps) {
  nlohmann::ordered_json json = {{"schema_version", 1}, {"steps", steps}};
  json["ranges"] = nlohmann::ordered_json::array();
  for (const auto& [path, row] : profile.rows())
    json["ranges"].push_back({{"path", path}, {"calls", row.calls}, {"all_ms", row.all}, {"own_ms", row.own}});
  return json_text(json, 1) + "\n";
}

}  // namespace sagcl::tools
