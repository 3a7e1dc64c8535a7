#include "tools/evaluate/confidence.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <tuple>

#include "engine/error.h"
#include "engine/files/atomic_file.h"
#include "engine/files/read_file.h"

namespace sagcl::tools {

using Json = nlohmann::ordered_json;
using engine::DataError;

ExpectedDice::ExpectedDice(std::int64_t classes)
    : in_mask_(std::size_t(classes)), everywhere_(std::size_t(classes)), mask_(std::size_t(classes)) {}

void ExpectedDice::add(const engine::Tensor& planes) {
  const std::size_t classes = mask_.size();
  const float* p = planes.data<float>();
  for (std::int64_t i = 0; i < planes.size() / std::int64_t(classes); ++i, p += classes) {
    const std::size_t label = std::size_t(std::max_element(p, p + classes) - p);
    ++mask_[label], in_mask_[label] += double(p[label]);
    for (std::size_t k = 1; k < classes; ++k) everywhere_[k] += double(p[k]);
  }
}

std::vector<double> ExpectedDice::per_class() const {
  std::vector<double> dice;
  for (std::size_t k = 1; k < mask_.size(); ++k)
    dice.push_back((2 * in_mask_[k] + 1) / (double(mask_[k]) + everywhere_[k] + 1));
  return dice;
}

double CaseConfidence::mean() const { return std::accumulate(dice.begin(), dice.end(), 0.0) / double(dice.size()); }

ConfidenceFile::ConfidenceFile(std::filesystem::path file, std::vector<std::string> classes)
    : file_(std::move(file)), classes_(std::move(classes)) {}

void ConfidenceFile::read() {
  if (!std::filesystem::exists(file_)) return;
  try {
    const Json json = Json::parse(engine::read_file(file_));
    engine::require<DataError>(json.at("classes").get<std::vector<std::string>>() == classes_,
                               "{}: was written for other classes; choose another --output, or --overwrite", file_.string());
    for (const Json& one : json.at("cases"))
      set({one.at("id"), one.at("patient"), one.at("per_class").get<std::vector<double>>()});
  } catch (const nlohmann::json::exception& e) {
    engine::fail<DataError>("{}: is not a confidence.json of sagcl-predict ({}); remove it, then its cases are done again",
                            file_.string(), e.what());
  }
}

bool ConfidenceFile::has(const std::string& id) const {
  return std::ranges::any_of(cases_, [&](const CaseConfidence& c) { return c.id == id; });
}

void ConfidenceFile::set(CaseConfidence confidence) {
  engine::require<DataError>(confidence.dice.size() == classes_.size(), "{}: case {} has {} classes instead of {}",
                             file_.string(), confidence.id, confidence.dice.size(), classes_.size());
  std::erase_if(cases_, [&](const CaseConfidence& c) { return c.id == confidence.id; });
  cases_.push_back(std::move(confidence));
}

std::vector<ConfidenceFile::Patient> ConfidenceFile::least_sure_first() const {
  std::map<std::string, Patient> patients;
  for (const CaseConfidence& one : cases_) {
    Patient& patient = patients[one.patient];
    patient.id = one.patient, ++patient.cases, patient.dice += one.mean();
  }
  std::vector<Patient> order;
  for (auto& [id, patient] : patients) patient.dice /= double(patient.cases), order.push_back(patient);
  std::ranges::stable_sort(order, {}, &Patient::dice);
  return order;
}

void ConfidenceFile::write() const {
  std::map<std::string, double> patients;
  for (const Patient& patient : least_sure_first()) patients[patient.id] = patient.dice;
  std::vector<const CaseConfidence*> order;
  for (const CaseConfidence& one : cases_) order.push_back(&one);
  std::ranges::stable_sort(
      order, {}, [&](const CaseConfidence* c) { return std::tuple(patients.at(c->patient), c->patient, c->mean()); });
  std::vector<Json> cases;
  for (const CaseConfidence* one : order)
    cases.push_back({{"id", one->id}, {"patient", one->patient}, {"expected_dice", one->mean()}, {"per_class", one->dice}});
  engine::write_file_atomically(file_, Json{{"schema_version", 1}, {"classes", classes_}, {"cases", cases}}.dump(1) + "\n");
}

}  // namespace sagcl::tools
