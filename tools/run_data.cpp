#include "tools/run_data.h"

#include <algorithm>
#include <charconv>

#include "semiagcl/inference.h"
#include "tools/program.h"

namespace sagcl::tools {

using datasets::Amount;
using datasets::Sample;
using engine::fail;
using engine::require;
using engine::UsageError;
using semiagcl::RunSettings;

Amount amount_of(const std::string& key, const std::string& text) {
  std::int64_t count = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error == std::errc() && end == text.data() + text.size()) return count;
  double share = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), share);
  if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size()) {
    require<UsageError>(share >= 0 && share <= 1, "{} = {}: a share lies between 0 and 1; a count is a whole number", key,
                        text);
    return share;
  }
  std::vector<std::string> ids;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    ids.push_back(text.substr(begin, comma - begin));
    begin = comma + 1;
  }
  require<UsageError>(std::find(ids.begin(), ids.end(), "") == ids.end(), "{} = '{}': expected a count, a share or ids a,b,c",
                      key, text);
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
  rule.labelled_pick = Rule::Labelled(choose("data.labeled_pick", s.data.labeled_pick, {"first", "spread", "seeded"}));
  rule.test = amount_of("data.test", s.data.test);
  rule.validation = amount_of("data.validation", s.data.validation);
  rule.labelled = amount_of("data.labeled", s.data.labeled);
  rule.seed = s.train.seed;
  return rule;
}

namespace {

std::vector<Sample> load_resized(const RunData& data, const std::vector<std::string>& ids, const RunSettings& s,
                                 bool with_labels) {
  const auto normalisation = datasets::normalisation_named(s.data.normalise);
  std::vector<Sample> samples = datasets::load_samples(data.dataset, ids, normalisation, with_labels);
  for (Sample& sample : samples) {
    sample.image = semiagcl::resized_image(sample.image, s.data);
    if (sample.label.defined()) sample.label = semiagcl::resized_label(sample.label, s.data);
  }
  return s.network.name == "unet" ? datasets::planes_of(std::move(samples)) : samples;
}

}  // namespace

datasets::Dataset open_data(const RunSettings& s) {
  datasets::OpenOptions options;
  if (!s.data.label_map.empty()) options.labels = datasets::parse_label_rule(s.data.label_map);
  datasets::Dataset data = datasets::open_dataset(s.data.folder, options);
  for (const std::string& text : data.warnings) say("warning: " + text);
  return data;
}

RunData load_run_data(const RunSettings& s, const std::filesystem::path& split_file) {
  RunData data;
  data.dataset = open_data(s);
  data.split = std::filesystem::exists(split_file) ? datasets::read_split(split_file, data.dataset)
                                                   : datasets::make_split(data.dataset, split_rule(s));
  data.training.channels = data.dataset.channels;
  data.training.classes = data.dataset.n_classes();
  data.training.labelled = load_resized(data, data.split.labelled, s, true);
  data.training.unlabelled = load_resized(data, data.split.unlabelled, s, false);
  return data;
}

Checkpoint newest_checkpoint(const std::filesystem::path& run) {
  std::vector<std::filesystem::path> files;
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(run / "checkpoints", missing))
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
  std::sort(files.rbegin(), files.rend());  // step-0000600 after step-0000500
  for (const auto& file : files) try {
      return {file, engine::read_safetensors(file)};
    } catch (const engine::DataError& e) {
      say(fmt::format("warning: {}; trying the checkpoint before it", e.what()));
    }
  fail<UsageError>("{}: holds no readable checkpoint to resume from; start a new run without --resume", run.string());
}

}  // namespace sagcl::tools
