#include "tools/evaluate/mask_folder.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "datasets/formats/formats.h"
#include "datasets/layouts/folder.h"
#include "datasets/load.h"
#include "datasets/text.h"
#include "tools/programs/program.h"

namespace sagcl::tools {

namespace fs = std::filesystem;
using datasets::LabelRule;
using datasets::some_of;
using engine::DataError;
using engine::require;

std::map<std::string, fs::path> image_files(const fs::path& folder) {
  datasets::ImageFolder in = datasets::look_into(folder);
  require<DataError>(in.errors.empty(), "{}", in.errors.empty() ? "" : in.errors.front());
  for (const std::string& text : in.passed_over()) say("note: " + text);
  return std::move(in.files);
}

namespace {

MaskPairs match_dataset(const fs::path& predictions, const fs::path& folder, const MaskRules& rules) {
  const datasets::Dataset data = datasets::open_dataset(folder, {.labels = rules.map});
  for (const std::string& text : data.warnings) say("warning: " + text);
  auto files = image_files(predictions);
  MaskPairs masks{{}, data.classes, {}, data.labels};
  std::vector<std::string> no_prediction;
  std::size_t of_test = 0;
  for (const auto* part : {&data.test, &data.validation, &data.cases})
    for (const datasets::Case& one : *part) {
      if (!one.has_label()) continue;
      const auto found = files.find(one.id);
      if (found == files.end()) {
        if (part == &data.test) no_prediction.push_back(one.id);
        continue;
      }
      masks.pairs.push_back({one.id, found->second, one.label, one.axes});
      files.erase(found);
      of_test += part == &data.test;
    }
  if (of_test == 0 && !no_prediction.empty() && !masks.pairs.empty())
    say(fmt::format("note: {} cases outside the test part of {} are compared; none of its {} test cases is predicted",
                    masks.pairs.size(), folder.string(), data.test.size()));
  require<DataError>(of_test == 0 || no_prediction.empty(), "{}: no prediction for {} of {} test cases ({}); predict them",
                     predictions.string(), no_prediction.size(), data.test.size(), some_of(no_prediction));
  require<DataError>(files.empty() && !masks.pairs.empty(),
                     "{}: {} predictions are of no labelled case of {}{}; give the folder of one run's masks",
                     predictions.string(), files.size(), folder.string(),
                     files.empty() ? "" : ", e.g. " + files.begin()->first);
  return masks;
}

std::vector<MaskPair> match_folders(const fs::path& predictions, const fs::path& references) {
  const auto p = image_files(predictions), r = image_files(references);
  for (const auto& [files, folder] : {std::pair{&p, &predictions}, {&r, &references}})
    require<engine::MissingInput>(!files->empty(), "{}: no masks here; they must end in one of {}", folder->string(),
                                  datasets::format_names());
  std::vector<std::string> no_prediction, no_reference;
  std::vector<MaskPair> pairs;
  for (const auto& [id, file] : r)
    if (const auto found = p.find(id); found != p.end()) pairs.push_back({id, found->second, file});
    else no_prediction.push_back(id);
  for (const auto& [id, file] : p)
    if (!r.count(id)) no_reference.push_back(id);
  require<DataError>(no_prediction.empty(),
                     "{}: no prediction for {} of {} references ({}); predict them, or give a folder of the "
                     "references that are meant",
                     predictions.string(), no_prediction.size(), r.size(), some_of(no_prediction));
  require<DataError>(no_reference.empty(),
                     "{}: no reference for {} of {} predictions ({}); the names without ending must be equal",
                     references.string(), no_reference.size(), p.size(), some_of(no_reference));
  return pairs;
}

/// Different values in all files of one side.
std::set<double> values_of(const MaskPairs& masks, bool references) {
  std::set<double> values;
  for (const MaskPair& pair : masks.pairs)
    for (const auto& [value, count] :
         datasets::count_values(references ? datasets::read_label(pair.reference, pair.axes).values
                                           : datasets::read_label(pair.prediction).values))
      values.insert(value);
  return values;
}

enum class Holds { stored, classes, either };

/// What values tell about the files they come from: stored values, which the rule explains, or classes already.
Holds look_at(const std::set<double>& values, const LabelRule& rule, std::int64_t classes) {
  const auto is_class = [&](double v) {
    return (v == std::floor(v) && v >= 0 && v < double(classes)) || (rule.ignored && v == double(*rule.ignored));
  };
  if (!std::all_of(values.begin(), values.end(), is_class)) return Holds::stored;
  const double largest = values.empty() ? 0 : *values.rbegin();
  if (rule.threshold > 0) return largest < rule.threshold ? Holds::classes : Holds::stored;
  if (rule.instances) return largest > 1 ? Holds::stored : Holds::classes;  // with 0 and 1 both mean the same
  if (std::any_of(values.begin(), values.end(), [&](double v) { return !rule.map.count(std::int64_t(v)); }))
    return Holds::classes;
  const bool same =
      std::all_of(values.begin(), values.end(), [&](double v) { return rule.map.at(std::int64_t(v)) == std::int64_t(v); });
  return same ? Holds::classes : Holds::either;
}

bool is_identity(const LabelRule& rule) { return rule.threshold == 0 && !rule.instances && rule.map.empty(); }

}  // namespace

MaskPairs match_masks(const fs::path& predictions, const fs::path& references, const MaskRules& rules) {
  MaskPairs masks;
  if (datasets::is_dataset(references)) masks = match_dataset(predictions, references, rules);
  else masks.pairs = match_folders(predictions, references), masks.reference = rules.map.value_or(LabelRule{});
  masks.prediction = rules.predictions ? *rules.predictions : rules.map ? *rules.map : masks.reference;
  masks.prediction.ignored.reset();
  return masks;
}

std::int64_t count_classes(const MaskPairs& masks) {
  std::int64_t largest = std::max(masks.prediction.classes(), masks.reference.classes()) - 1;
  if (largest >= 0) return std::max<std::int64_t>(largest + 1, 2);
  constexpr std::int64_t most = 64;
  largest = 1;
  for (const MaskPair& pair : masks.pairs)
    for (const bool reference : {false, true}) {
      const datasets::StoredLabel label =
          reference ? datasets::read_label(pair.reference, pair.axes) : datasets::read_label(pair.prediction);
      const auto counts = datasets::count_values(label.values);
      const double value = counts.empty() ? 0 : counts.rbegin()->first;
      require<DataError>(
          value < most,
          "{}: holds the value {}; if it is a class, give --classes {}; if it stands for one, say for which, as "
          "in --map 0:0,{}:1",
          (reference ? pair.reference : pair.prediction).string(), value, std::int64_t(value) + 1, value);
      largest = std::max(largest, std::int64_t(value));
    }
  return largest + 1;
}

void settle_rules(MaskPairs& masks, const MaskRules& rules, std::int64_t classes) {
  if (rules.map && !is_identity(masks.reference) &&
      look_at(values_of(masks, true), masks.reference, classes) == Holds::classes)
    masks.reference = {};
  if (rules.predictions || is_identity(masks.prediction)) return;
  const Holds found = look_at(values_of(masks, false), masks.prediction, classes);
  require<engine::UsageError>(
      found != Holds::either,
      "the predictions hold values that are classes and that the map lists too, with another "
      "meaning; say which they are: --pred-map classes (they hold classes already) or --pred-map with the map itself");
  if (found == Holds::classes) masks.prediction = {};
}

LoadedPair load_pair(const MaskPairs& masks, const MaskPair& pair, std::int64_t classes) {
  datasets::StoredLabel reference = datasets::read_label(pair.reference, pair.axes),
                        prediction = datasets::read_label(pair.prediction);
  const engine::Shape s = reference.values.shape();
  require<DataError>(prediction.values.shape() == s,
                     "{}: has extents {}, the reference {} has {} (z, y, x); predict at the reference's size",
                     pair.prediction.string(), prediction.values.shape(), pair.reference.string(), s);
  // The reference stands for the image here: both must lie in the same place.
  const datasets::Geometry place = reference.geometry;
  const auto classes_of = [&](datasets::StoredLabel stored, const fs::path& file, const LabelRule& rule,
                              const char* option) {
    const datasets::Label label =
        datasets::as_classes(std::move(stored), file.string(), s, place, pair.reference.string(), rule, classes, option);
    for (const std::string& text : label.remarks) say("note: " + text);
    return label.classes;
  };
  return {classes_of(std::move(prediction), pair.prediction, masks.prediction, "--pred-map"),
          classes_of(std::move(reference), pair.reference, masks.reference, "--map"), place.spacing, place.measured};
}

}  // namespace sagcl::tools
