#include "tools/inspect/compare.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "datasets/text.h"
#include "engine/files/safetensors.h"
#include "tools/programs/json_text.h"
#include "tools/programs/program.h"
#include "tools/programs/text_table.h"
#include "tools/run/config.h"
#include "tools/run/run_folder.h"
#include "tools/run/run_state.h"

namespace sagcl::tools {
namespace {

namespace fs = std::filesystem;
using engine::Tensor;
using Json = nlohmann::ordered_json;

/// Representable numbers in order: neighbours are 1 apart, −0 and 0 are equal.
template <class Float, class Bits>
std::uint64_t steps_between(Float a, Float b) {
  const auto ordered = [](Float v) {
    const Bits bits = std::bit_cast<Bits>(v), sign = Bits(1) << (8 * sizeof(Bits) - 1);
    return bits & sign ? std::int64_t(-std::int64_t(bits & ~sign)) : std::int64_t(bits);
  };
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b) ? 0 : ~std::uint64_t(0);
  const std::int64_t x = ordered(a), y = ordered(b);
  return x > y ? std::uint64_t(x) - std::uint64_t(y) : std::uint64_t(y) - std::uint64_t(x);
}

std::uint64_t steps_between(double a, double b, engine::Dtype dtype) {
  if (dtype == engine::Dtype::f64) return steps_between<double, std::uint64_t>(a, b);
  if (dtype == engine::Dtype::f32) return steps_between<float, std::uint32_t>(float(a), float(b));
  return a == b ? 0 : 1;
}

std::string digits(double v) { return fmt::format("{:.9g}", v); }

class Report {
 public:
  Comparison made;
  Json json = {{"schema_version", 1}};

  void say(const std::string& line) { made.text += line + "\n"; }

  void files(const engine::TensorFile& a, const engine::TensorFile& b) {
    std::vector<TensorDifference> all;
    std::size_t same = 0;
    for (const auto& [name, t] : a.tensors) {
      const auto found = b.tensors.find(name);
      if (found == b.tensors.end()) {
        only(name, "first");
        continue;
      }
      const TensorDifference d = difference(name, t, found->second);
      if (d.differ > 0 || !d.shapes.empty()) all.push_back(d);
      else ++same;
    }
    for (const auto& [name, t] : b.tensors)
      if (!a.tensors.count(name)) only(name, "second");
    std::stable_sort(all.begin(), all.end(), [](const auto& x, const auto& y) { return x.relative > y.relative; });
    say(fmt::format("{} tensors have the same bits, {} differ", same, all.size()));
    json["same"] = same, json["differ"] = Json::array();
    if (all.empty()) return;
    made.equal = false;
    TextTable table({"tensor", "differ", "of", "|a-b|/|a|", "largest", "ulp", "first at", "a", "b"});
    for (const TensorDifference& d : all) {
      json["differ"].push_back({{"name", d.name},
                                {"shapes", d.shapes},
                                {"elements", d.elements},
                                {"differ", d.differ},
                                {"relative", d.relative},
                                {"largest", d.largest},
                                {"ulp", d.ulp},
                                {"first", d.first},
                                {"a", digits(d.a)},
                                {"b", digits(d.b)}});
      if (!d.shapes.empty()) table.row({d.name, d.shapes, "", "", "", "", "", "", ""});
      else
        table.row({d.name, fmt::format("{}", d.differ), fmt::format("{}", d.elements), fmt::format("{:.2e}", d.relative),
                   fmt::format("{:.2e}", d.largest), fmt::format("{}", d.ulp), fmt::format("{}", d.first), digits(d.a),
                   digits(d.b)});
    }
    made.text += table.text();
  }

  void runs(const fs::path& a, const fs::path& b) {
    const RunRecord x = read_run(a), y = read_run(b);
    const std::string settings = differences(x.settings, y.settings);
    say(settings.empty() ? "The settings are equal."
                         : "Settings that differ (first | second), so that other bits are no fault:\n" + settings);
    json["settings"] = settings;
    steps(x, y);
    hashes(x, y);
    for (const fs::path& file : checkpoint_files(a))
      if (const fs::path other = b / "checkpoints" / file.filename(); fs::exists(other)) {
        say("\nCheckpoints " + file.filename().string());
        return files(engine::read_safetensors(file), engine::read_safetensors(other));
      }
    say("\nNo step has a checkpoint in both.");
  }

 private:
  /// Where the bits part, as far as both wrote hashes down: what went into the step, its gradients, the weights behind it.
  void hashes(const RunRecord& x, const RunRecord& y) {
    if (x.hashes.empty() || y.hashes.empty()) return;
    std::size_t both = 0;
    std::int64_t last_equal = 0;  // before step 1 both have the same weights, or the batches differ, too
    for (const HashPoint& p : x.hashes) {
      const auto q = std::find_if(y.hashes.begin(), y.hashes.end(), [&](const HashPoint& o) { return o.step == p.step; });
      if (q == y.hashes.end()) continue;
      ++both;
      std::vector<std::string> other;
      for (const auto& one : p.hashes)
        if (std::none_of(q->hashes.begin(), q->hashes.end(), [&](const auto& h) { return h == one; }))
          other.push_back(one.first);
      if (other.empty()) {
        last_equal = p.step;
        continue;
      }
      made.equal = false;
      json["hashes"] = {{"step", p.step}, {"differ", other}};
      const std::string& first = other.front();
      if (last_equal != p.step - 1 && !first.starts_with("batch"))
        return say(
            fmt::format("Hashes: of the steps that both wrote down, {} is the first where {} of {} tensors differ: {}. "
                        "It began at some step from {} on; debug.hashes = 1 from there says what.",
                        p.step, other.size(), p.hashes.size(), datasets::some_of(other), last_equal + 1));
      const char* why = first.starts_with("batch")      ? "the data, their augmentation or the seed"
                        : first.starts_with("gradient") ? "equal batches, so the arithmetic of forward or backward"
                                                        : "equal batches and gradients, so the update of the weights";
      return say(
          fmt::format("Hashes: of the steps that both wrote down, {} is the first where {} of {} tensors differ: {}. "
                      "It is {}.",
                      p.step, other.size(), p.hashes.size(), datasets::some_of(other), why));
    }
    json["hashes"] = nullptr;
    say(both == 0
            ? "Hashes: the two wrote them down at different steps (debug.hashes)."
            : fmt::format("Hashes of batches, gradients and weights are equal at all {} steps that both wrote down.", both));
  }

  void only(const std::string& name, const char* where) {
    made.equal = false;
    say(fmt::format("{} is in the {} alone", name, where));
    json["only"][where].push_back(name);
  }

  void steps(const RunRecord& x, const RunRecord& y) {
    const std::size_t n = std::min(x.train.size(), y.train.size());
    for (std::size_t i = 0; i < n; ++i) {
      std::string what;
      const auto look = [&](const std::string& name, double p, double q) {
        if (p != q && !(std::isnan(p) && std::isnan(q)) && what.empty())
          what = fmt::format("{}: {:.9g} and {:.9g}, {} ulp apart", name, p, q,
                             steps_between<float, std::uint32_t>(float(p), float(q)));
      };
      for (const auto& [name, value] : x.train[i].terms)
        if (const auto other = y.train[i].terms.find(name); other != y.train[i].terms.end())
          look(name, value, other->second);
        else what = what.empty() ? "the second has no term " + name : what;
      for (const auto& [name, value] : y.train[i].terms)
        if (!x.train[i].terms.count(name) && what.empty()) what = "the first has no term " + name;
      look("loss", x.train[i].loss, y.train[i].loss);
      if (what.empty()) continue;
      made.equal = false;
      json["first_step"] = x.train[i].step, json["first"] = what;
      return say(fmt::format("The first step that differs is {}: {}.", x.train[i].step, what));
    }
    json["first_step"] = nullptr;
    say(fmt::format("Loss and terms of the {} steps that both have are equal.", n));
    if (x.train.size() == y.train.size()) return;
    made.equal = false;
    say(fmt::format("They have {} and {} steps.", x.train.size(), y.train.size()));
  }
};

}  // namespace

TensorDifference difference(const std::string& name, const Tensor& a, const Tensor& b) {
  TensorDifference d{.name = name};
  d.elements = a.size();
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) {
    d.shapes =
        fmt::format("{} {} and {} {}", a.shape(), engine::to_string(a.dtype()), b.shape(), engine::to_string(b.dtype()));
    d.relative = std::numeric_limits<double>::infinity();
    return d;
  }
  const std::vector<double> x = a.to_doubles(), y = b.to_doubles();
  double size = 0, apart = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::uint64_t ulp = steps_between(x[i], y[i], a.dtype());
    if (std::isfinite(x[i])) size += x[i] * x[i];
    if (ulp == 0) continue;
    if (d.differ++ == 0) d.first = std::int64_t(i), d.a = x[i], d.b = y[i];
    d.ulp = std::max(d.ulp, ulp);
    const double by = std::abs(x[i] - y[i]), far = std::isfinite(by) ? by : std::numeric_limits<double>::infinity();
    d.largest = std::max(d.largest, far), apart += far * far;
  }
  d.relative = apart == 0 ? 0 : size == 0 ? std::numeric_limits<double>::infinity() : std::sqrt(apart / size);
  return d;
}

Comparison compare(const fs::path& a, const fs::path& b) {
  Report report;
  for (const fs::path& path : {a, b})
    engine::require<engine::MissingInput>(fs::exists(path), "{}: there is no such file or folder", path.string());
  if (fs::is_directory(a) && fs::is_directory(b)) report.runs(a, b);
  else {
    for (const fs::path& path : {a, b})
      engine::require<engine::UsageError>(!fs::is_directory(path), "{} is a folder: give two runs or two files",
                                          path.string());
    report.files(engine::read_safetensors(a), engine::read_safetensors(b));
  }
  report.json["equal"] = report.made.equal;
  report.made.json = json_text(report.json, 1) + "\n";
  return report.made;
}

}  // namespace sagcl::tools
