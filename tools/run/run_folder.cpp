#include "tools/run/run_folder.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "datasets/split.h"
#include "engine/files/read_file.h"
#include "tools/programs/program.h"
#include "tools/run/config.h"

namespace sagcl::tools {

namespace fs = std::filesystem;
using engine::DataError;
using engine::require;
using Json = nlohmann::ordered_json;

namespace {

constexpr std::size_t text_limit = std::size_t(1) << 30;

std::optional<std::string> text_if_there(const fs::path& file) {
  std::error_code e;
  if (!fs::exists(file, e)) return {};
  return engine::read_file(file, text_limit);
}

double number_or_nan(const Json& v) { return v.is_number() ? v.get<double>() : NAN; }

void flatten(const Json& json, const std::string& prefix, Table& table) {
  for (const auto& [key, value] : json.items()) {
    const std::string name = prefix.empty() ? key : prefix + "." + key;
    if (value.is_object()) flatten(value, name, table);
    else table.push_back({name, value.is_string() ? value.get<std::string>() : value.dump()});
  }
}

Table read_table(const fs::path& file) {
  Table table;
  const auto text = text_if_there(file);
  if (!text) return table;
  const Json json = Json::parse(*text, nullptr, false);
  require<DataError>(json.is_object(), "{}: this is not a JSON object", file.string());
  flatten(json, "", table);
  return table;
}

TrainPoint train_point(const Json& line) {
  TrainPoint p{.step = line["step"].get<std::int64_t>(), .loss = NAN, .seconds = 0, .terms = {}, .other = {}};
  for (const auto& [key, value] : line.items()) {
    if (key == "loss") p.loss = number_or_nan(value);
    else if (key == "seconds" && value.is_number()) p.seconds = value.get<double>();
    else if (key == "terms" && value.is_object())
      for (const auto& [name, term] : value.items()) p.terms[name] = number_or_nan(term);
    else if (key != "step" && (value.is_number() || value.is_null())) p.other[key] = number_or_nan(value);
  }
  return p;
}

ValidationPoint validation_point(const Json& line, const std::string& where) {
  require<DataError>(line.contains("network") && line["network"].is_string() && line.contains("dice"),
                     "{}: a validation line needs 'network' and 'dice'", where);
  ValidationPoint p{line["step"].get<std::int64_t>(),
                    line["network"].get<std::string>(),
                    number_or_nan(line["dice"]),
                    {},
                    line["phase"].get<std::string>()};
  if (line.contains("per_class") && line["per_class"].is_array())
    for (const Json& v : line["per_class"]) p.per_class.push_back(number_or_nan(v));
  return p;
}

}  // namespace

void parse_metrics(const std::string& text, const std::string& name, RunRecord& run) {
  std::vector<TrainPoint>& train = run.train;
  std::vector<ValidationPoint>& validation = run.validation;
  std::int64_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    ++number;
    const std::size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;  // cut off: the run was killed while it wrote
    const std::string where = fmt::format("{}:{}", name, number);
    const std::string_view read(text.data() + begin, end - begin);
    const Json line = Json::parse(read, nullptr, false);
    begin = end + 1;
    require<DataError>(line.is_object() && line.contains("step") && line["step"].is_number_integer() &&
                           line.contains("phase") && line["phase"].is_string(),
                       "{}: this line is not a JSON object with 'step' and 'phase'; remove it", where);
    const std::int64_t step = line["step"].get<std::int64_t>();
    if (line["phase"] == "train") {
      while (!train.empty() && train.back().step >= step) train.pop_back();
      while (!validation.empty() && validation.back().step > step) validation.pop_back();
      std::erase_if(run.gradients, [&](const GradientPoint& g) { return g.step >= step; });
      std::erase_if(run.hashes, [&](const HashPoint& h) { return h.step >= step; });
      train.push_back(train_point(line));
    } else if (line["phase"] == "gradients") {
      run.gradients.push_back(gradient_point(std::string(read), where));
    } else if (line["phase"] == "hashes") {
      run.hashes.push_back(hash_point(std::string(read), where));
    } else if (line["phase"] == "validation" || line["phase"] == "test") {
      ValidationPoint p = validation_point(line, where);
      std::erase_if(validation,
                    [&](const auto& v) { return v.step >= step && v.network == p.network && v.cases == p.cases; });
      validation.push_back(std::move(p));
    }
  }
}

std::string RunRecord::name() const {
  return (folder.filename().empty() ? folder.parent_path() : folder).filename().string();
}

std::int64_t RunRecord::steps() const { return train.empty() ? 0 : train.back().step; }

double RunRecord::seconds() const {
  for (const auto& [key, value] : status)
    if (key == "seconds" || key == "train_seconds") return std::strtod(value.c_str(), nullptr);
  if (train.empty()) return NAN;
  double sum = 0;
  std::int64_t before = 0;
  for (const TrainPoint& p : train) sum += p.seconds * double(p.step - before), before = p.step;
  return sum;
}

RunRecord read_run(const fs::path& folder) {
  require_folder(folder, "the run folder");
  RunRecord run;
  run.folder = folder;
  const auto config = text_if_there(folder / "config.toml");
  require<engine::MissingInput>(config.has_value(),
                                "{}: no config.toml, so this is not a run folder; give the folder named by --out",
                                folder.string());
  run.config = *config;
  apply_toml(run.settings, run.config, (folder / "config.toml").string());
  run.command = text_if_there(folder / "command.txt").value_or("");
  run.environment = read_table(folder / "env.json");
  run.status = read_table(folder / "status.json");
  if (const auto metrics = text_if_there(folder / "metrics.jsonl"))
    parse_metrics(*metrics, (folder / "metrics.jsonl").string(), run);
  if (const auto split = text_if_there(folder / "split.json")) {
    const datasets::Split s = datasets::parse_split(*split, (folder / "split.json").string());
    run.labelled = std::int64_t(s.labelled.size()), run.unlabelled = std::int64_t(s.unlabelled.size());
    run.test = std::int64_t(s.test.size());
  }
  if (fs::exists(folder / "evaluation.json")) run.evaluation = read_evaluation(folder / "evaluation.json");
  return run;
}

}  // namespace sagcl::tools
