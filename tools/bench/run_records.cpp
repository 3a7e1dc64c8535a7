#include "tools/bench/run_records.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/error.h"
#include "engine/files/read_file.h"
#include "tools/programs/json_text.h"
#include "tools/run/config.h"
#include "tools/run/run_state.h"

namespace sagcl::tools {

using Json = nlohmann::ordered_json;

namespace {

/// The numbers of a run under their names in a line.
template <class Result, class F>
void each_number(Result& r, F&& f) {
  f("dice", r.figures.dice), f("jaccard", r.figures.jaccard), f("hd95", r.figures.hd95), f("asd", r.figures.asd);
  f("minutes", r.minutes), f("step_ms", r.milliseconds), f("peak_mib", r.peak_mib), f("parameters_m", r.million_parameters);
}

RunOutcome outcome_in(const Json& line, const std::string& name) {
  RunOutcome one{.settings = settings_in(line.at("settings").get<std::string>(), name),
                 .not_finite = line.at("not_finite").get<bool>(),
                 .unit = line.at("unit").get<std::string>()};
  if (!line.contains("dice")) return one;
  SeedResult& figures = one.figures.emplace(SeedResult{.seed = line.at("seed").get<std::string>()});
  each_number(figures, [&](const char* key, double& value) {
    value = line.at(key).is_null() ? NAN : line.at(key).get<double>();  // JSON has no NaN
  });
  return one;
}

}  // namespace

RunOutcome outcome(const std::filesystem::path& run, const std::string& seed) {
  const RunRecord record = read_run(run);
  RunOutcome one{.settings = record.settings, .not_finite = read_status(run).state == "failed"};
  if (!one.not_finite) one.figures = seed_result(record, seed);
  if (record.evaluation) one.unit = record.evaluation->unit;
  return one;
}

std::string to_lines(const RunOutcomes& runs) {
  std::string text;
  for (const auto& [name, run] : runs) {
    Json line = {{"run", name}, {"unit", run.unit}, {"not_finite", run.not_finite}};
    if (run.figures) {
      line["seed"] = run.figures->seed;
      each_number(*run.figures, [&](const char* key, double value) { line[key] = value; });
    }
    line["settings"] = to_toml(run.settings);
    text += json_text(line) + '\n';
  }
  return text;
}

RunOutcomes read_outcomes(const std::vector<std::filesystem::path>& files) {
  RunOutcomes all;
  for (const std::filesystem::path& file : files) {
    std::istringstream text(engine::read_file(file));
    int number = 0;
    for (std::string line; std::getline(text, line);) {
      const std::string where = fmt::format("{}, line {}", file.string(), ++number);
      try {
        const Json json = Json::parse(line);
        all[json.at("run").get<std::string>()] = outcome_in(json, where);
      } catch (const Json::exception& e) {
        throw engine::DataError(
            fmt::format("{}: not a run as sagcl-bench paper writes them to runs.jsonl: {}", where, e.what()));
      }
    }
  }
  return all;
}

}  // namespace sagcl::tools
