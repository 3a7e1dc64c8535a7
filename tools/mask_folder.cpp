#include "tools/mask_folder.h"

#include <algorithm>
#include <system_error>

#include "datasets/formats.h"
#include "datasets/load.h"

namespace sagcl::tools {

namespace fs = std::filesystem;
using engine::DataError;
using engine::require;

std::map<std::string, fs::path> image_files(const fs::path& folder) {
  std::map<std::string, fs::path> files;
  std::error_code e;
  fs::directory_iterator entry(folder, e);
  require<engine::IoError>(!e, "{}: the folder cannot be read ({})", folder.string(), e.message());
  for (; entry != fs::directory_iterator(); entry.increment(e)) {
    require<engine::IoError>(!e, "{}: the folder cannot be read ({})", folder.string(), e.message());
    const std::string name = datasets::case_name(entry->path());
    if (name.empty()) continue;
    const auto [place, fresh] = files.emplace(name, entry->path());
    require<DataError>(fresh, "{} and {} have the same name; keep one of them", place->second.string(), entry->path().string());
  }
  return files;
}

namespace {

/// "a, b, c and 7 more".
std::string some_of(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(names.size(), 5); ++i) text += (i ? ", " : "") + names[i];
  return names.size() > 5 ? text + fmt::format(" and {} more", names.size() - 5) : text;
}

std::vector<MaskPair> match_dataset(const fs::path& predictions, const fs::path& folder) {
  const datasets::Dataset data = datasets::open_dataset(folder);
  auto files = image_files(predictions);
  std::vector<MaskPair> pairs;
  std::vector<std::string> no_prediction;
  for (const auto* part : {&data.test, &data.validation, &data.cases})
    for (const datasets::Case& one : *part) {
      if (!one.has_label()) continue;
      const auto found = files.find(one.id);
      if (found == files.end()) {
        if (part == &data.test) no_prediction.push_back(one.id);
        continue;
      }
      pairs.push_back({one.id, found->second, one.label, one.axes, data.labels});
      files.erase(found);
    }
  require<DataError>(no_prediction.empty(), "{}: no prediction for {} of {} test cases ({}); predict them", predictions.string(),
                     no_prediction.size(), data.test.size(), some_of(no_prediction));
  require<DataError>(files.empty() && !pairs.empty(), "{}: {} predictions are of no labelled case of {}{}; give the folder of one run's masks",
                     predictions.string(), files.size(), folder.string(), files.empty() ? "" : ", e.g. " + files.begin()->first);
  return pairs;
}

}  // namespace

std::vector<MaskPair> match_masks(const fs::path& predictions, const fs::path& references) {
  if (datasets::is_dataset(references)) return match_dataset(predictions, references);
  const auto p = image_files(predictions), r = image_files(references);
  for (const auto& [files, folder] : {std::pair{&p, &predictions}, {&r, &references}})
    require<engine::MissingInput>(!files->empty(), "{}: no masks here; they must end in one of {}", folder->string(), datasets::format_names());
  std::vector<std::string> no_prediction, no_reference;
  std::vector<MaskPair> pairs;
  for (const auto& [id, file] : r)
    if (const auto found = p.find(id); found != p.end()) pairs.push_back({id, found->second, file});
    else no_prediction.push_back(id);
  for (const auto& [id, file] : p)
    if (!r.count(id)) no_reference.push_back(id);
  require<DataError>(no_prediction.empty(), "{}: no prediction for {} of {} references ({}); predict them, or give a folder of the "
                     "references that are meant", predictions.string(), no_prediction.size(), r.size(), some_of(no_prediction));
  require<DataError>(no_reference.empty(), "{}: no reference for {} of {} predictions ({}); the names without ending must be equal",
                     references.string(), no_reference.size(), p.size(), some_of(no_reference));
  return pairs;
}

namespace {

double largest_value(const Tensor& values) {
  double largest = 0;
  engine::visit_any(values.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const T* p = values.data<T>();
    for (std::int64_t i = 0; i < values.size(); ++i) largest = std::max(largest, double(p[i]));
  });
  return largest;
}

/// True for a mask that holds classes already, beside a reference that needs the rule: values the rule does not know, or, where
/// it cuts at a threshold, none that reaches it.
bool holds_classes(const Tensor& values, const datasets::LabelRule& rule, std::int64_t classes) {
  const double largest = largest_value(values);
  if (largest >= double(classes)) return false;
  if (rule.threshold > 0) return largest < double(rule.threshold);
  if (rule.instances || rule.map.empty()) return false;
  for (double v : values.to_doubles())
    if (!rule.map.count(std::int64_t(v))) return true;
  return false;
}

}  // namespace

LoadedPair load_pair(const MaskPair& pair, const datasets::LabelRule& rule, std::int64_t classes) {
  datasets::Geometry geometry;
  const Tensor reference = datasets::read_label_values(pair.reference, &geometry, pair.axes);
  const auto& s = reference.shape();
  const Tensor prediction = datasets::read_label_values(pair.prediction);
  require<DataError>(prediction.shape() == s, "{}: has extents {}, the reference {} has {} (z, y, x); predict at the reference's size",
                     pair.prediction.string(), prediction.shape(), pair.reference.string(), s);
  // The reference stands for the image here: the loader of labels checks that both lie in the same place.
  const datasets::Case both{pair.id, pair.id, {pair.reference}, pair.prediction};
  const datasets::LabelRule predicted = holds_classes(prediction, rule, classes) ? datasets::LabelRule{} : rule;
  const datasets::Label checked = datasets::load_label(both, {reference.reshape({s[0], s[1], s[2], 1}), geometry}, predicted, classes);
  return {checked.classes, datasets::apply_rule(pair.reference_rule.value_or(rule), reference, classes, pair.reference.string()), geometry.spacing};
}

std::int64_t count_classes(const std::vector<MaskPair>& pairs, const datasets::LabelRule& rule) {
  if (rule.classes() > 0) return std::max<std::int64_t>(rule.classes(), 2);
  std::int64_t largest = 1;
  constexpr std::int64_t most = 64;
  for (const MaskPair& pair : pairs)
    for (const fs::path& file : {pair.prediction, pair.reference}) {
      const double value = largest_value(datasets::read_label_values(file));
      require<DataError>(value < most, "{}: holds the value {}; if this stands for a class, give --map 0:0,{}:1 (or the class it means)",
                         file.string(), value, value);
      largest = std::max(largest, std::int64_t(value));
    }
  return largest + 1;
}

}  // namespace sagcl::tools
