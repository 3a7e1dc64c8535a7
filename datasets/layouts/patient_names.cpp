#include "datasets/layouts/patient_names.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "datasets/text.h"

namespace sagcl::datasets {

namespace {

/// What stands around the number (of a session: the name) that follows `text` in a name, "a_T1w" for "a_visit2_T1w" with
/// "_visit"; empty where none follows.
std::string around_number(const std::string& id, std::string_view text) {
  const std::size_t at = id.rfind(text);
  if (at == std::string::npos || at == 0) return "";
  std::size_t end = at + text.size();
  const bool named = text.ends_with('-') && text.starts_with('_');
  while (end < id.size() && (named ? std::isalnum(static_cast<unsigned char>(id[end])) != 0
                                   : std::isdigit(static_cast<unsigned char>(id[end])) || id[end] == '-'))
    ++end;
  return end == id.size() || id[end] == '_' ? id.substr(0, at) + id.substr(end) : "";
}

/// "patient001_frame01" and "patient001_frame12" -> "_frame", if most cases share what stands around the number that follows
/// with another.
std::string likely_patient_until(const std::vector<Case>& cases) {
  for (const char* text : {"_frame", "_ED", "_ES", "_time", "_visit", "_ses-", "_tp", "_t", "_slice", "_z", "-IM"}) {
    std::map<std::string, std::int64_t> alike;
    for (const Case& one : cases)
      if (const std::string around = around_number(one.id, text); one.patient == one.id && !around.empty()) ++alike[around];
    std::int64_t together = 0;
    for (const auto& [around, count] : alike) together += count > 1 ? count : 0;
    if (2 * together > std::int64_t(cases.size())) return text;
  }
  return "";
}

/// What may follow a subject in BIDS: "_ses-1_acq-iso_T1w", entities as _key-value, then at most one suffix, a word.
bool is_entities(std::string_view rest) {
  while (!rest.empty()) {
    rest.remove_prefix(1);  // '_'
    const std::string_view part = rest.substr(0, rest.find('_'));
    rest.remove_prefix(part.size());
    if (part.empty() || std::isalpha(static_cast<unsigned char>(part[0])) == 0) return false;
    if (part.find('-') == std::string_view::npos && !rest.empty()) return false;  // the suffix ends the name
  }
  return true;
}

/// Says whose images are together because of their names alone.
void remark_subjects(const Dataset& d, const std::string& name, const Complaints& complain) {
  std::map<std::string, std::vector<std::string>> patients;  // by name of BIDS
  std::int64_t cases = 0;
  for (const std::vector<Case>* part : {&d.cases, &d.validation, &d.test})
    for (const Case& one : *part)
      if (one.patient == bids_subject(one.id)) patients[one.patient].push_back(one.id), ++cases;
  const auto several =
      std::find_if(patients.begin(), patients.end(), [](const auto& entry) { return entry.second.size() > 1; });
  if (several != patients.end())
    complain.warn(
        "{} belong to {} by their names, as BIDS writes them (sub-XX): {} has {}; they stay together in one part of "
        "a split. If that is wrong, name the patients with \"patients\" in {}",
        counted(cases, "case"), counted(std::int64_t(patients.size()), "patient"), several->first, some_of(several->second),
        name);
}

}  // namespace

std::string bids_subject(const std::string& id) {
  constexpr std::string_view key = "sub-";
  std::size_t at = id.starts_with(key) ? 0 : id.find("_sub-");
  if (at == std::string::npos) return "";
  if (at > 0) ++at;
  const std::size_t end = std::min(id.find('_', at), id.size());
  return end > at + key.size() && is_entities(std::string_view(id).substr(end)) ? id.substr(0, end) : "";
}

void remark_patients(const Dataset& d, const std::string& notes, const Complaints& complain) {
  remark_subjects(d, notes, complain);
  if (const std::string until = likely_patient_until(d.cases); !until.empty())
    complain.warn(
        "cases such as {} look like several images of one patient, but each counts as a patient of its own, so that "
        "one may be trained on and another tested; say \"patient_until\": \"{}\" in {}",
        d.cases.front().id, until, notes);
}

}  // namespace sagcl::datasets
