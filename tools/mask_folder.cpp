#include "tools/mask_folder.h"

#include <algorithm>
#include <charconv>
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

}  // namespace

std::vector<MaskPair> match_masks(const fs::path& predictions, const fs::path& references) {
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

LoadedPair load_pair(const MaskPair& pair, const datasets::LabelRule& rule, std::int64_t classes) {
  datasets::Geometry geometry;
  const Tensor reference = datasets::read_label_values(pair.reference, &geometry);
  const auto& s = reference.shape();
  const Tensor prediction = datasets::read_label_values(pair.prediction);
  require<DataError>(prediction.shape() == s, "{}: has extents {}, the reference {} has {} (z, y, x); predict at the reference's size",
                     pair.prediction.string(), prediction.shape(), pair.reference.string(), s);
  // The reference stands for the image here: the loader of labels checks that both lie in the same place.
  const datasets::Case both{pair.id, pair.id, {pair.reference}, pair.prediction};
  const datasets::Label checked = datasets::load_label(both, {reference.reshape({s[0], s[1], s[2], 1}), geometry}, rule, classes);
  return {checked.classes, datasets::apply_rule(rule, reference, classes, pair.reference.string()), geometry.spacing};
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

}  // namespace

std::int64_t count_classes(const std::vector<MaskPair>& pairs, const datasets::LabelRule& rule) {
  std::int64_t largest = 1;
  for (const auto& [value, c] : rule.map) largest = std::max(largest, c);
  if (!rule.map.empty()) return largest + 1;
  constexpr std::int64_t most = 64;
  for (const MaskPair& pair : pairs)
    for (const fs::path& file : {pair.prediction, pair.reference}) {
      const double value = largest_value(datasets::read_label_values(file));
      require<DataError>(value < most, "{}: holds the value {}; if this stands for a class, give --map {}=1 (or the class it means)",
                         file.string(), value, value);
      largest = std::max(largest, std::int64_t(value));
    }
  return largest + 1;
}

datasets::LabelRule parse_map(const std::string& text) {
  datasets::LabelRule rule;
  if (text.empty()) return rule;
  rule.map[0] = 0;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string item = text.substr(begin, end - begin);
    const std::size_t equals = item.find('=');
    std::int64_t from = -1, to = -1;
    const auto parse = [](const std::string& s, std::int64_t& v) {
      const auto [rest, error] = std::from_chars(s.data(), s.data() + s.size(), v);
      return error == std::errc() && rest == s.data() + s.size();
    };
    require<engine::UsageError>(equals != std::string::npos && parse(item.substr(0, equals), from) && parse(item.substr(equals + 1), to) &&
                                to >= 0 && to < 256, "--map {}: '{}' is not of the form VALUE=CLASS, e.g. --map 255=1", text, item);
    rule.map[from] = to;
    begin = end + 1;
  }
  return rule;
}

}  // namespace sagcl::tools
