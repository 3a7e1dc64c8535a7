#include "tools/inspect/profile.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "engine/devices/device_registry.h"
#include "engine/work.h"
#include "ops/matmul.h"
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
  found->second.work += row.work, found->second.bytes += row.bytes;
}

/// Where a range below a phase stands: "step/forward/block1/0/conv", "step/backward/block1.0/conv/weight gradient".
struct LayerOperation {
  std::string layer, operation;

  explicit LayerOperation(const std::vector<std::string>& parts) {
    const bool part_of_backward = parts.size() > 3 && parts.back().ends_with(" gradient");
    const std::size_t at = parts.size() - (part_of_backward ? 2 : 1);
    for (std::size_t i = 2; i < at; ++i) layer += (i > 2 ? "." : "") + parts[i];
    operation = fmt::format("{} {}", parts[1], parts[at]);
    if (part_of_backward) operation += ", " + parts.back();
  }
};

/// Phases are the ranges right inside "step"; operations the innermost ones, under the phase they belong to, of all layers
/// together and of each.
struct Views {
  Rows phases, operations, layers;
  double step = 0;

  explicit Views(const Profile& profile) {
    for (const auto& [path, row] : profile.rows()) {
      const std::vector<std::string> parts = parts_of(path);
      if (parts.size() == 1) step += row.all;
      if (parts.size() == 2) add(phases, parts[1], row);
      if (parts.size() < 3 || !(row.own > 0)) continue;
      const LayerOperation at(parts);
      add(operations, at.operation, row);
      if (!at.layer.empty()) add(layers, at.layer + ": " + at.operation, row);
    }
    for (Rows* rows : {&phases, &operations, &layers})
      std::stable_sort(rows->begin(), rows->end(), [](const auto& a, const auto& b) { return a.second.own > b.second.own; });
    std::stable_sort(phases.begin(), phases.end(), [](const auto& a, const auto& b) { return a.second.all > b.second.all; });
  }
};

/// So many per second, in 1e9, where there are any; and their share of `most`.
std::vector<std::string> speed(double count, double milliseconds, double most) {
  if (!(count > 0)) return {"", ""};
  const double speed = count / milliseconds / 1e6;
  return {number(speed, 1), number(100 * speed / most, 0) + " %"};
}

std::string table(const char* what, const Rows& rows, double Profile::Row::*value, double step, std::int64_t steps,
                  const MachinePeak& peak, std::size_t most = 40) {
  TextTable t({what, "calls", "ms", "share", "GFLOP/s", "of a product's", "MB", "GB/s", "of a copy's"});
  double shown = 0;
  const auto shows = [&](const auto& r) { return r.second.*value >= 0.0005 * step; };
  most = std::min<std::size_t>(most, std::size_t(std::count_if(rows.begin(), rows.end(), shows)));  // they are sorted
  for (std::size_t i = 0; i < most; ++i) {
    const auto& [name, row] = rows[i];
    shown += row.*value;
    std::vector<std::string> cells = {name, number(double(row.calls) / double(steps), 1), number(row.*value / double(steps)),
                                      number(100 * row.*value / step, 1) + " %"};
    const auto products = speed(row.work, row.own, peak.product), moves = speed(row.bytes, row.all, peak.copy);
    cells.insert(cells.end(), products.begin(), products.end());
    cells.push_back(row.bytes > 0 ? number(row.bytes / 1e6 / double(steps), 1) : "");
    cells.insert(cells.end(), moves.begin(), moves.end());
    t.row(std::move(cells));
  }
  t.rule();
  if (rows.size() > most) t.row({fmt::format("and {} less than that", rows.size() - most), "", "", "", "", "", "", "", ""});
  t.row({"together", "", number(shown / double(steps)), number(100 * shown / step, 1) + " %", "", "", "", "", ""});
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
  open_.push_back(
      {open_.empty() ? name : open_.back().path + "/" + name, name, now(), 0, engine::work_done(), engine::bytes_moved()});
}

void Profile::end() {
  if (!ours() || open_.empty()) return;
  const Open range = std::move(open_.back());
  open_.pop_back();
  const double length = now() - range.begun;
  Row& row = rows_[range.path];
  const double work = engine::work_done() - range.work, bytes = engine::bytes_moved() - range.bytes;
  ++row.calls, row.all += length, row.own += length - range.inside, row.work += work - range.work_inside;
  row.bytes += bytes - range.bytes_inside;
  if (!open_.empty()) open_.back().inside += length, open_.back().work_inside += work, open_.back().bytes_inside += bytes;
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

MachinePeak measured_peak(engine::Device device) {
  constexpr std::int64_t n = 1024, copied = std::int64_t(1) << 24;
  const autograd::Variable a(engine::Tensor::full({n, n}, 0.5, engine::Dtype::f32, device));
  const engine::Tensor large = engine::Tensor::full({copied}, 0.5, engine::Dtype::f32, device);
  const auto seconds = [&](const auto& f) {
    double best = std::numeric_limits<double>::infinity();
    for (int i = 0; i < 5; ++i) {
      engine::runtime(device).synchronize();
      const auto begin = std::chrono::steady_clock::now();
      f();
      engine::runtime(device).synchronize();
      best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    return best;
  };
  return {.product = 2e-9 * double(n * n * n) / seconds([&] { ops::matmul(a, a); }),
          .copy = 2e-9 * double(large.bytes()) / seconds([&] { return large.clone(); })};
}

std::string profile_text(const Profile& profile, std::int64_t steps, const MachinePeak& peak, bool layers) {
  const Views views(profile);
  const std::string text =
      fmt::format(
          "{} steps of {:.2f} ms; calls and times are of one step. A large matrix product reaches {:.0f} GFLOP/s here, "
          "a large copy {:.1f} GB/s;\nalgorithms that save multiplications may pass the one, what stays in the caches the "
          "other\n\n",
          steps, views.step / double(steps), peak.product, peak.copy) +
      table("phase", views.phases, &Profile::Row::all, views.step, steps, peak) + "\n" +
      table("operation, without what is inside", views.operations, &Profile::Row::own, views.step, steps, peak);
  if (!layers) return text;
  return text + "\n" +
         table("layer: operation", views.layers, &Profile::Row::own, views.step, steps, peak, views.layers.size());
}

std::string profile_json(const Profile& profile, std::int64_t steps, const MachinePeak& peak) {
  nlohmann::ordered_json json = {
      {"schema_version", 1}, {"steps", steps}, {"product_gflops", peak.product}, {"copy_gbps", peak.copy}};
  json["ranges"] = nlohmann::ordered_json::array();
  for (const auto& [path, row] : profile.rows())
    json["ranges"].push_back({{"path", path},
                              {"calls", row.calls},
                              {"all_ms", row.all},
                              {"own_ms", row.own},
                              {"flop", row.work},
                              {"bytes", row.bytes}});
  return json_text(json, 1) + "\n";
}

}  // namespace sagcl::tools
