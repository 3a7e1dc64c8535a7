#include <cmath>
#include <limits>

#include "engine/files/atomic_file.h"
#include "engine/files/read_file.h"
#include "tools/evaluate/evaluation.h"
#include "tools/programs/json_text.h"

// evaluation.json, written and read.
namespace sagcl::tools {

using engine::DataError;
using engine::require;
using Json = nlohmann::ordered_json;

namespace {

Json number_or_null(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json to_object(const Agreement& s) {
  return {{"dice", number_or_null(s.dice)},
          {"jaccard", number_or_null(s.jaccard)},
          {"hd95", number_or_null(s.hd95)},
          {"asd", number_or_null(s.asd)},
          {"assd", number_or_null(s.assd)}};
}

const Json& member(const Json& object, const char* key, const std::string& name) {
  require<DataError>(object.is_object() && object.contains(key), "{}: '{}' is missing", name, key);
  return object.at(key);
}

const Json& array(const Json& object, const char* key, const std::string& name) {
  const Json& value = member(object, key, name);
  require<DataError>(value.is_array(), "{}: '{}' must be a list", name, key);
  return value;
}

std::string text(const Json& object, const char* key, const std::string& name) {
  const Json& value = member(object, key, name);
  require<DataError>(value.is_string(), "{}: '{}' must be text", name, key);
  return value.get<std::string>();
}

double number(const Json& object, const char* key, const std::string& name) {
  const Json& value = member(object, key, name);
  require<DataError>(value.is_number() || value.is_null(), "{}: '{}' must be a number or null", name, key);
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

Agreement scores(const Json& o, const std::string& name) {
  return {number(o, "dice", name), number(o, "jaccard", name), number(o, "hd95", name), number(o, "asd", name),
          number(o, "assd", name)};
}

}  // namespace

std::string to_json(const Evaluation& e) {
  Json cases = Json::array(), mean = Json::array();
  for (const CaseResult& c : e.cases) {
    Json classes = Json::array();
    for (const ClassResult& k : c.classes) {
      Json one = to_object(k.scores);
      one["status"] = k.status;
      classes.push_back(std::move(one));
    }
    cases.push_back({{"id", c.id}, {"classes", std::move(classes)}});
  }
  for (const Agreement& s : e.mean) mean.push_back(to_object(s));
  const Json json = {{"schema_version", 1},
                     {"unit", e.unit},
                     {"classes", e.classes},
                     {"cases", std::move(cases)},
                     {"mean", std::move(mean)},
                     {"foreground_mean", to_object(e.foreground_mean)},
                     {"empty_predictions", e.empty_predictions}};
  return json_text(json, 1) + "\n";
}

void write_evaluation(const std::filesystem::path& file, const Evaluation& e) {
  engine::write_file_atomically(file, to_json(e));
}

Evaluation parse_evaluation(const std::string& content, const std::string& name) {
  const Json json = Json::parse(content, nullptr, false);
  require<DataError>(json.is_object(), "{}: this is not a JSON object", name);
  const Json& version = member(json, "schema_version", name);
  require<DataError>(version.is_number_integer() && version.get<int>() == 1,
                     "{}: schema_version is {}, this program reads 1", name, version.dump());
  Evaluation e;
  e.unit = text(json, "unit", name);
  for (const Json& c : array(json, "classes", name)) {
    require<DataError>(c.is_string(), "{}: 'classes' must hold names", name);
    e.classes.push_back(c.get<std::string>());
  }
  for (const Json& c : array(json, "cases", name)) {
    CaseResult one{text(c, "id", name), {}};
    for (const Json& k : array(c, "classes", name)) one.classes.push_back({scores(k, name), text(k, "status", name)});
    require<DataError>(one.classes.size() == e.classes.size(), "{}: case {} has {} classes, the file names {}", name, one.id,
                       one.classes.size(), e.classes.size());
    e.cases.push_back(std::move(one));
  }
  for (const Json& s : array(json, "mean", name)) e.mean.push_back(scores(s, name));
  require<DataError>(e.mean.size() == e.classes.size(), "{}: 'mean' has {} entries, the file names {} classes", name,
                     e.mean.size(), e.classes.size());
  e.foreground_mean = scores(member(json, "foreground_mean", name), name);
  const Json& empty = member(json, "empty_predictions", name);
  require<DataError>(empty.is_number_integer(), "{}: 'empty_predictions' must be a whole number", name);
  e.empty_predictions = empty.get<std::int64_t>();
  return e;
}

Evaluation read_evaluation(const std::filesystem::path& file) {
  return parse_evaluation(engine::read_file(file, std::size_t(1) << 28), file.string());
}

}  // namespace sagcl::tools
