#include "tools/inspect/tape_view.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "engine/devices/device_registry.h"
#include "tools/programs/json_text.h"
#include "tools/programs/program.h"
#include "tools/programs/text_table.h"

namespace sagcl::tools {
namespace {

using Json = nlohmann::ordered_json;

std::string name_of(const TapeEntry& e) {
  if (e.module.empty()) return e.op;
  return e.count == 1 ? e.module + " " + e.op : e.module;
}

}  // namespace

TapeWatch::TapeWatch(engine::Device device)
    : device_(device), before_(in_use()), in_use_(before_), last_(std::chrono::steady_clock::now()) {}

std::size_t TapeWatch::in_use() const { return engine::allocator(device_).statistics().in_use; }

double TapeWatch::milliseconds() {
  engine::runtime(device_).synchronize();
  const auto now = std::chrono::steady_clock::now();
  return std::chrono::duration<double, std::milli>(now - std::exchange(last_, now)).count();
}

void TapeWatch::after_forward(const Step& step, const engine::Tensor& y) {
  const double spent = milliseconds();
  const std::size_t now = in_use(), before = std::exchange(in_use_, now);
  if (step.record < 0) return;  // no gradient flows there
  memory_.push_back({entries_.size(), false, now});
  TapeEntry e{.op = step.op, .module = step.scope, .where = step.where, .shape = y.shape()};
  for (const std::int64_t source : step.sources)
    if (source >= 0) e.sources.push_back(std::size_t(source));
  std::sort(e.sources.begin(), e.sources.end());
  e.forward = spent, e.kept = std::int64_t(now) - std::int64_t(before);
  e.gradient = std::numeric_limits<double>::quiet_NaN();
  entries_.push_back(std::move(e));
}

void TapeWatch::before_backward(const Step& step, const engine::Tensor& dy) {
  double sum = 0;
  for (const double v : dy.to_doubles()) sum += v * v;
  entries_[std::size_t(step.record)].gradient = std::sqrt(sum);
  milliseconds();
}

void TapeWatch::after_backward(const Step& step, const autograd::Gradients&) {
  entries_[std::size_t(step.record)].backward = milliseconds();
  memory_.push_back({std::size_t(step.record), true, in_use()});
}

std::vector<TapeEntry> joined(const std::vector<TapeEntry>& entries, std::size_t depth) {
  std::vector<TapeEntry> all;
  std::vector<std::size_t> place_of;  // of each of the given
  for (const TapeEntry& e : entries) {
    const std::string path = semiagcl::first_parts(e.module, depth);
    if (all.empty() || path.empty() || all.back().module != path) {
      all.push_back(e);
      all.back().module = path, all.back().sources.clear();
    } else {
      TapeEntry& sum = all.back();
      sum.forward += e.forward, sum.backward += e.backward, sum.kept += e.kept, ++sum.count;
      sum.shape = e.shape, sum.gradient = e.gradient, sum.where = "";
      sum.op = fmt::format("{} operations", sum.count);
    }
    place_of.push_back(all.size() - 1);
    std::vector<std::size_t>& sources = all.back().sources;
    for (const std::size_t source : e.sources)
      if (const std::size_t from = place_of[source]; from + 1 != all.size()) sources.push_back(from);
  }
  for (TapeEntry& e : all) {
    std::sort(e.sources.begin(), e.sources.end());
    e.sources.erase(std::unique(e.sources.begin(), e.sources.end()), e.sources.end());
  }
  return all;
}

std::string tape_text(const std::vector<TapeEntry>& entries) {
  TextTable table({"operation", "number", "result", "forward ms", "backward ms", "kept", "|dy|", "from", "where"});
  double forward = 0, backward = 0;
  std::int64_t kept = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const TapeEntry& e = entries[i];
    forward += e.forward, backward += e.backward, kept += e.kept;
    table.row({name_of(e), fmt::format("{}", i), fmt::format("{}", e.shape), number(e.forward), number(e.backward),
               (e.kept < 0 ? "-" : "") + size_text(std::size_t(std::abs(e.kept))),
               std::isnan(e.gradient) ? "-" : fmt::format("{:.2e}", e.gradient),
               fmt::format("{}", fmt::join(e.sources, " ")), e.where});
  }
  table.rule();
  table.row({"all", "", "", number(forward), number(backward), size_text(std::size_t(std::max<std::int64_t>(kept, 0))), "",
             "", ""});
  return table.text();
}

std::string tape_json(const std::vector<TapeEntry>& entries) {
  Json json = {{"schema_version", 1}};
  json["operations"] = Json::array();
  for (const TapeEntry& e : entries)
    json["operations"].push_back({{"op", e.op},
                                  {"module", e.module},
                                  {"where", e.where},
                                  {"count", e.count},
                                  {"shape", std::vector<std::int64_t>(e.shape.begin(), e.shape.end())},
                                  {"sources", e.sources},
                                  {"forward_ms", e.forward},
                                  {"backward_ms", e.backward},
                                  {"kept_bytes", e.kept},
                                  {"gradient_norm", std::isfinite(e.gradient) ? Json(e.gradient) : Json(nullptr)}});
  return json_text(json, 1) + "\n";
}

std::string tape_dot(const std::vector<TapeEntry>& entries) {
  std::string dot = "digraph tape {\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n";
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const TapeEntry& e = entries[i];
    dot += fmt::format("  {} [label=\"{}\\n{}\\n{:.2f} + {:.2f} ms\"];\n", i, name_of(e), e.shape, e.forward, e.backward);
    for (const std::size_t source : e.sources) dot += fmt::format("  {} -> {};\n", source, i);
  }
  return dot + "}\n";
}

}  // namespace sagcl::tools
