#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "datasets/formats/json_file.inl"
#include "datasets/layouts/layouts.h"
#include "datasets/text.h"
#include "engine/error.h"

// What the two descriptions of a data set say: dataset.json and list.tsv. Both are untrusted text.
namespace sagcl::datasets {

using engine::DataError;
using engine::fail;
using engine::require;

namespace {

constexpr std::int64_t max_classes = 255;

/// {"0": "background", "1": "liver"} (Decathlon) or {"background": 0, "liver": 1} (nnU-Net; some write the numbers as text)
/// -> names by class. nnU-Net's "ignore" is no class: its number goes to `ignored`.
std::vector<std::string> parse_classes(const Json& labels, std::optional<std::int64_t>& ignored, const std::string& name) {
  require<DataError>(labels.is_object(), "{}: 'labels' must be an object such as {{\"background\": 0, \"organ\": 1}}", name);
  std::map<std::int64_t, std::string> names;
  for (const auto& [key, value] : labels.items()) {
    std::optional<std::int64_t> number = value.is_string() ? number_in<std::int64_t>(key) : std::nullopt;
    std::string text = number ? value.get<std::string>() : key;
    if (value.is_number_integer()) number = value.get<std::int64_t>();
    else if (!number && value.is_string()) number = number_in<std::int64_t>(value.get<std::string>());
    require<DataError>(number.has_value(),
                       "{}: 'labels' has the entry \"{}\": {}, expected a name and a class number (regions of several "
                       "classes are not supported)",
                       name, key, value.dump());
    require<DataError>(names.emplace(*number, text).second, "{}: 'labels' names class {} twice", name, *number);
  }
  if (!names.empty() && names.rbegin()->second == "ignore") {
    ignored = names.rbegin()->first;
    names.erase(*ignored);
  }
  const std::int64_t n = std::int64_t(names.size());
  require<DataError>(n >= 2 && n <= max_classes,
                     "{}: 'labels' has {} classes, 2 to {} are possible (the background is class 0)", name, n, max_classes);
  std::vector<std::string> classes;
  for (const auto& [number, text] : names) {
    require<DataError>(
        number == std::int64_t(classes.size()),
        "{}: 'labels' must number the classes 0 to {} without gaps, {} does not fit; map stored values with 'label_map'",
        name, n - 1, number);
    require<DataError>(text != "ignore", "{}: 'labels' gives \"ignore\" the number {}, but it must be the last", name,
                       number);
    classes.push_back(printable(text));
  }
  return classes;
}

LabelRule parse_rule(const Json& json, const std::string& name) {
  LabelRule rule;
  if (const auto threshold = json.find("label_threshold"); threshold != json.end()) {
    require<DataError>(threshold->is_number() && threshold->get<double>() > 0,
                       "{}: 'label_threshold' must be a number above 0, it is {}", name, threshold->dump());
    rule.threshold = threshold->get<double>();
  }
  const auto found = json.find("label_map");
  if (found == json.end()) return rule;
  if (found->is_string() && rule.threshold == 0) try {
      return parse_label_rule(found->get<std::string>());
    } catch (const engine::UsageError& e) { fail<DataError>("{}: {}", name, e.what()); }
  require<DataError>(found->is_object() && rule.threshold == 0,
                     "{}: 'label_map' must be an object such as {{\"255\": 1}}, without 'label_threshold'", name);
  for (const auto& [key, value] : found->items()) {
    const std::optional<std::int64_t> stored = number_in<std::int64_t>(key);
    const bool good = stored && value.is_number_unsigned() && value.get<std::uint64_t>() < std::uint64_t(max_classes);
    require<DataError>(good, "{}: 'label_map' has the entry \"{}\": {}, expected a stored value and a class number", name,
                       key, value.dump());
    require<DataError>(rule.map.emplace(*stored, value.get<std::int64_t>()).second, "{}: 'label_map' maps {} twice", name,
                       *stored);
  }
  rule.map.emplace(0, 0);  // as in the form "255:1"
  return rule;
}

/// "training" and the like: [{"image": ..., "label": ...}]; the image may be a list of files, one per channel.
std::vector<DatasetNotes::Pair> parse_pairs(const Json& list, const char* key, const std::string& name) {
  constexpr const char* form = "must be a list of {\"image\": ..., \"label\": ...}";
  require<DataError>(list.is_array(), "{}: '{}' {}", name, key, form);
  std::vector<DatasetNotes::Pair> pairs;
  for (const Json& entry : list) {
    require<DataError>(entry.is_object() && entry.contains("image"), "{}: '{}' {}, it holds {}", name, key, form,
                       entry.dump());
    DatasetNotes::Pair pair{{}, text_at(entry, "label", "", name)};
    const Json& image = entry["image"];
    for (const Json& file : image.is_array() ? image : Json::array({image})) {
      require<DataError>(file.is_string(), "{}: '{}' {}, it holds {}", name, key, form, entry.dump());
      pair.images.push_back(file.get<std::string>());
    }
    require<DataError>(!pair.images.empty(), "{}: '{}' {}, it holds {}", name, key, form, entry.dump());
    pairs.push_back(std::move(pair));
  }
  return pairs;
}

std::vector<std::string> split_text(std::string_view line, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = line.find(separator);
    parts.emplace_back(line.substr(0, end));
    if (end == std::string_view::npos) return parts;
    line.remove_prefix(end + 1);
  }
}

}  // namespace

DatasetNotes parse_dataset_json(std::string_view text, const std::string& name, bool with_labels) {
  const Json json = parse_json(text, name);
  DatasetNotes notes;
  notes.name = text_at(json, "name", "", name);
  notes.patient_until = text_at(json, "patient_until", "", name);
  if (with_labels) notes.labels = parse_rule(json, name);
  if (const auto labels = json.find("labels"); with_labels && labels != json.end())
    notes.classes = parse_classes(*labels, notes.labels.ignored, name);
  notes.labelled = integer_at(json, "numTraining", 0, name);
  for (const char* key : {"channel_names", "modality"})
    if (const auto channels = json.find(key); channels != json.end()) {
      require<DataError>(channels->is_object(), "{}: '{}' must name the channels, as in {{\"0\": \"T1\"}}, it is {}", name,
                         key, channels->dump());
      for (std::size_t c = 0; c < channels->size(); ++c) {
        const auto named = channels->find(std::to_string(c));
        notes.channels.push_back(named != channels->end() && named->is_string() ? printable(named->get<std::string>()) : "");
      }
      break;
    }
  if (const auto patients = json.find("patients"); patients != json.end()) {
    require<DataError>(patients->is_object(), "{}: 'patients' must map cases to patients, it is {}", name, patients->dump());
    for (const auto& [id, patient] : patients->items()) {
      require<DataError>(patient.is_string(), "{}: 'patients' must map {} to a name, not {}", name, id, patient.dump());
      notes.patients[id] = patient.get<std::string>();
    }
  }
  if (const auto list = json.find("validation"); list != json.end()) {
    require<DataError>(list->is_array(), "{}: 'validation' must be a list of case ids or of pairs, it is {}", name,
                       list->dump());
    const bool pairs = !list->empty() && list->front().is_object();
    if (pairs) notes.validation_pairs = parse_pairs(*list, "validation", name);
    for (const Json& id : pairs ? Json::array() : *list) {
      require<DataError>(id.is_string(), "{}: 'validation' must be a list of case ids or of pairs, it holds {}", name,
                         id.dump());
      notes.validation.push_back(id.get<std::string>());
    }
  }
  if (const auto list = json.find("training"); list != json.end()) notes.training = parse_pairs(*list, "training", name);
  return notes;
}

std::vector<ListRow> parse_list_tsv(std::string_view text, const std::string& name) {
  std::vector<ListRow> rows;
  int column[3] = {-1, -1, -1};
  constexpr const char* wanted[3] = {"class", "file", "patient"};
  std::size_t n_columns = 0;
  std::int64_t number = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++number;
    if (line.empty()) continue;
    const std::vector<std::string> cells = split_text(line, '\t');
    if (n_columns == 0) {
      n_columns = cells.size();
      for (int w = 0; w < 3; ++w) {
        for (std::size_t c = 0; c < cells.size(); ++c)
          if (cells[c] == wanted[w]) column[w] = int(c);
        require<DataError>(column[w] >= 0, "{}: the first line names no column '{}' (tab-separated class, file, patient)",
                           name, wanted[w]);
      }
      continue;
    }
    require<DataError>(cells.size() == n_columns, "{}: line {} has {} columns, the first line has {}", name, number,
                       cells.size(), n_columns);
    rows.push_back({cells[std::size_t(column[0])], cells[std::size_t(column[1])], cells[std::size_t(column[2])]});
    const ListRow& r = rows.back();
    require<DataError>(!r.tile_class.empty() && !r.file.empty() && !r.patient.empty(),
                       "{}: line {} lacks a class, file or patient", name, number);
  }
  require<DataError>(!rows.empty(), "{}: lists no file", name);
  return rows;
}

std::filesystem::path inside(const std::filesystem::path& folder, const std::string& listed, const std::string& name) {
  const std::filesystem::path p(listed);
  bool ok = !listed.empty() && p.is_relative() && listed.find('\0') == std::string::npos;
  for (const auto& part : p) ok = ok && part != "..";
  require<DataError>(ok, "{}: lists the path '{}', which must lie inside the data set's folder", name, listed);
  return (folder / p).lexically_normal();
}

}  // namespace sagcl::datasets
