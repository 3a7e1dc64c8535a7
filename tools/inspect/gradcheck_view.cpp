#include "tools/inspect/gradcheck_view.h"

#include <fnmatch.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "datasets/phantom.h"
#include "tools/programs/json_text.h"
#include "tools/programs/progress.h"
#include "tools/programs/text_table.h"

namespace sagcl::tools {
namespace {

/// Of a loss through whole networks: where many rectifiers lie near their kinks, quotients agree to fewer digits.
constexpr double step_tolerance = 1e-5;

bool fits(const std::string& name, const std::string& only) {
  return only.empty() || ::fnmatch(only.c_str(), name.c_str(), 0) == 0;
}

/// Of the parameters whose names fit.
std::vector<CheckedGradient> check_trainer(semiagcl::Trainer& trainer, const std::string& about, const std::string& only,
                                           std::int64_t elements) {
  std::vector<CheckedGradient> all;
  for (auto& [name, result] : trainer.check_gradients({.step = 1e-6, .tolerance = step_tolerance, .most_elements = elements},
                                                      [&](const std::string& parameter) { return fits(parameter, only); }))
    all.push_back({about + ": " + name, step_tolerance, std::move(result)});
  return all;
}

/// A training of eight small steps on phantoms.
semiagcl::RunSettings small_settings(const std::string& method) {
  semiagcl::RunSettings s;
  s.train.method = method, s.network.name = "unet", s.network.width = 2, s.train.patch = {1, 32, 32};
  s.train.steps = 8, s.train.batch = 4, s.train.learning_rate = 0.01, s.train.restarts = 0;
  s.method.patch_grid = {{1, 2, 2}}, s.method.top_n = 4, s.method.min_negatives = 2, s.method.bank_size = 32;
  s.method.n_closest = 8, s.method.n_hard = 4, s.method.projection_hidden = 8, s.method.projection_dim = 4;
  return s;
}

semiagcl::TrainingData phantoms() {
  const datasets::PhantomSpec spec{.extents = {{1, 32, 32}}};
  semiagcl::TrainingData data{.labelled = {}, .unlabelled = {}, .classes = spec.classes};
  for (int i = 0; i < 6; ++i) {
    datasets::Sample one = datasets::phantom(spec, i);
    if (i >= 3) one.label = {};
    (i < 3 ? data.labelled : data.unlabelled).push_back(std::move(one));
  }
  return data;
}

}  // namespace

std::vector<CheckedGradient> check_cases(const std::string& kind, const std::vector<tests::OpCase>& cases,
                                         const std::string& only, std::int64_t elements) {
  std::vector<CheckedGradient> all;
  for (const tests::OpCase& one : cases)
    if (fits(one.name, only))
      all.push_back({kind + " " + one.name, one.gradient_tolerance,
                     autograd::gradcheck(
                         one.f, tests::draw_inputs(one),
                         {.step = one.gradient_step, .tolerance = one.gradient_tolerance, .most_elements = elements})});
  return all;
}

std::vector<CheckedGradient> check_step(InspectedStep& subject, const std::string& only, std::int64_t elements) {
  return check_trainer(subject.trainer(), fmt::format("step {}", subject.step()), only, elements);
}

std::vector<CheckedGradient> check_methods(const std::string& only, std::int64_t elements) {
  std::vector<CheckedGradient> all;
  const semiagcl::TrainingData data = phantoms();
  Progress progress({.label = "methods", .total = std::int64_t(semiagcl::training_methods().size())});
  std::int64_t done = 0;
  for (const semiagcl::MethodEntry& method : semiagcl::training_methods()) {
    progress.update(done++, method.name);
    if (!fits(method.name, only)) continue;
    if (method.no_quotients) {
      progress.message(fmt::format("method {} is left out: {}; its losses are checked alone (gradcheck loss)", method.name,
                                   method.no_quotients));
      continue;
    }
    const semiagcl::RunSettings settings = small_settings(method.name);
    semiagcl::Trainer trainer(settings, data, {});
    while (trainer.steps_done() < settings.train.steps - 1) trainer.advance();
    trainer.reports();
    for (CheckedGradient& one : check_trainer(trainer, std::string("method ") + method.name, "", elements))
      all.push_back(std::move(one));
  }
  return all;
}

std::string gradcheck_text(std::vector<CheckedGradient> all) {
  std::stable_sort(all.begin(), all.end(), [](const CheckedGradient& a, const CheckedGradient& b) {
    if (a.result.passed != b.result.passed) return b.result.passed;
    return a.result.worst / a.tolerance > b.result.worst / b.tolerance;
  });
  const auto failed = std::count_if(all.begin(), all.end(), [](const auto& one) { return !one.result.passed; });
  const std::size_t shown = std::min(all.size(), std::max<std::size_t>(20, std::size_t(failed)));
  TextTable table({"gradient of", "", "worst", "allowed", "input", "element", "by the tape", "by differences", "at kinks"});
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& [name, tolerance, r] = all[i];
    table.row({name, r.passed ? "passed" : "FAILED", fmt::format("{:.1e}", r.worst), fmt::format("{:.0e}", tolerance),
               fmt::format("{}", r.input), fmt::format("{}", r.element), fmt::format("{:.9g}", r.analytic),
               fmt::format("{:.9g}", r.numeric), fmt::format("{} of {}", r.kinks, r.elements)});
  }
  std::string text = table.text();
  if (shown < all.size()) text += fmt::format("and {} more, which passed with less\n", all.size() - shown);
  return text + fmt::format("{} gradients compared in f64, {} failed\n", all.size(), failed);
}

std::string gradcheck_json(const std::vector<CheckedGradient>& all) {
  nlohmann::ordered_json json = {{"schema_version", 1}, {"gradients", nlohmann::ordered_json::array()}};
  for (const auto& [name, tolerance, r] : all)
    json["gradients"].push_back({{"name", name},
                                 {"passed", r.passed},
                                 {"worst", r.worst},
                                 {"tolerance", tolerance},
                                 {"input", r.input},
                                 {"element", r.element},
                                 {"analytic", r.analytic},
                                 {"numeric", r.numeric},
                                 {"elements", r.elements},
                                 {"kinks", r.kinks}});
  return json_text(json, 1) + "\n";
}

}  // namespace sagcl::tools
