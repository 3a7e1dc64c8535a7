#include "tools/run/run_data.h"

#include <algorithm>
#include <map>
#include <set>

#include "datasets/text.h"
#include "tools/programs/program.h"
#include "tools/run/case_reader.h"

namespace sagcl::tools {

using datasets::Amount;
using datasets::Sample;
using engine::require;
using engine::UsageError;
using semiagcl::RunSettings;

Amount amount_of(const std::string& key, const std::string& text) {
  if (const auto count = datasets::number_in<std::int64_t>(text)) return *count;
  if (const auto share = datasets::number_in<double>(text)) {
    require<UsageError>(*share >= 0 && *share <= 1, "{} = {}: a share lies between 0 and 1; a count is a whole number", key,
                        text);
    return *share;
  }
  std::vector<std::string> ids;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    ids.push_back(text.substr(begin, comma - begin));
    begin = comma + 1;
  }
  require<UsageError>(std::find(ids.begin(), ids.end(), "") == ids.end(),
                      "{} = '{}': expected a count, a share or ids a,b,c", key, text);
  return ids;
}

datasets::SplitRule split_rule(const RunSettings& s) {
  using Rule = datasets::SplitRule;
  const auto choose = [](const std::string& key, const std::string& name, const std::vector<std::string>& names) {
    const auto found = std::find(names.begin(), names.end(), name);
    require<UsageError>(found != names.end(), "{} = '{}': choose one of {}", key, name, fmt::join(names, ", "));
    return int(found - names.begin());
  };
  Rule rule;
  rule.pick = Rule::Pick(choose("data.split_pick", s.data.split_pick, {"last", "every", "seeded"}));
  rule.labelled_pick =
      Rule::Labelled(choose("data.labelled_pick", s.data.labelled_pick, {"first", "spread", "seeded", "block"}));
  rule.test = amount_of("data.test", s.data.test);
  rule.validation = amount_of("data.validation", s.data.validation);
  rule.labelled = amount_of("data.labelled", s.data.labelled);
  rule.seed = s.train.seed;
  if (!s.data.fold.empty()) {
    const std::size_t slash = s.data.fold.find('/');
    const auto number = [&](const std::string& text) { return datasets::number_in<std::int64_t>(text); };
    const auto fold = number(s.data.fold.substr(0, slash)),
               folds = slash == std::string::npos ? std::optional<std::int64_t>(5) : number(s.data.fold.substr(slash + 1));
    require<UsageError>(
        fold && folds && *folds >= 2 && *fold >= 0 && *fold < *folds,
        "data.fold = '{}': expected the number of a fold and, behind a slash, how many there are (5 without): "
        "0/5 to 4/5",
        s.data.fold);
    rule.fold = *fold, rule.folds = *folds;
  }
  return rule;
}

std::vector<Sample> load_cases(const RunData& data, const std::vector<std::string>& ids, const RunSettings& s,
                               bool with_labels) {
  std::map<std::string, std::string> hashes = data.split.hashes;
  return CaseReader(data.dataset, s, hashes, ids.size()).read(ids, with_labels);
}

datasets::Dataset open_data(const RunSettings& s) {
  datasets::OpenOptions options;
  if (!s.data.label_map.empty()) options.labels = datasets::parse_label_rule(s.data.label_map);
  datasets::Dataset data = datasets::open_dataset(s.data.folder, options);
  static std::set<std::string> told;  // a plan and the run behind it open the same data
  for (const std::string& text : data.warnings)
    if (told.insert(text).second) say("warning: " + text);
  return data;
}

RunData load_run_data(const RunSettings& s, const std::filesystem::path& split_file, std::vector<std::string>* renewed,
                      std::size_t most) {
  RunData data;
  data.dataset = open_data(s);
  if (split_file.empty() && !s.data.fold.empty() && s.data.validation != "0")
    say(fmt::format("note: data.fold = {} says who is for validation; data.validation = {} is not read", s.data.fold,
                    s.data.validation));
  data.split = split_file.empty() ? datasets::make_split(data.dataset, split_rule(s))
                                  : datasets::read_split(split_file, data.dataset, renewed);
  data.training.channels = data.dataset.channels;
  data.training.classes = data.dataset.n_classes();
  const auto first = [&](std::vector<std::string> ids) {
    ids.resize(std::min(ids.size(), most));
    return ids;
  };
  const std::vector<std::string> labelled = first(data.split.labelled), unlabelled = first(data.split.unlabelled);
  CaseReader reader(data.dataset, s, data.split.hashes, labelled.size() + unlabelled.size());
  data.training.labelled = reader.read(labelled, true);
  data.training.unlabelled = reader.read(unlabelled, false);
  data.orientations = reader.orientations();
  return data;
}

}  // namespace sagcl::tools
