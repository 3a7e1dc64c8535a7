#include "tools/evaluate/prediction_input.h"

#include <algorithm>
#include <iterator>
#include <map>

#include "datasets/formats/formats.h"
#include "datasets/formats/png.h"
#include "datasets/layouts/folder.h"
#include "datasets/layouts/layouts.h"
#include "datasets/text.h"
#include "engine/error.h"

namespace sagcl::tools {

namespace fs = std::filesystem;
using datasets::Case;
using datasets::channel_in;
using datasets::counted;
using datasets::without_channel;
using engine::DataError;
using engine::require;

namespace {

using Files = std::map<std::string, fs::path>;  // name without ending -> file

bool holds_one_channel(const fs::path& file) {
  if (datasets::is_png(file)) return datasets::read_png_info(file).is_grey();
  return datasets::read_image(file).voxels.shape()[3] == 1;
}

/// True for files that are the channels of cases rather than cases: their names may say so, the files themselves decide. A
/// file that cannot be read says nothing; its case will be reported.
bool are_channels(const Files& files, const InputOptions& options) {
  if (options.every_file || options.channels == 1) return false;
  for (const auto& [name, file] : files)
    if (channel_in(name)) try {
        return holds_one_channel(file);
      } catch (const DataError&) {}
  return false;
}

std::string last_channel(std::int64_t channels) { return fmt::format("_{:04}", channels - 1); }

std::vector<Case> cases_of_channels(const Files& files, std::int64_t channels) {
  std::map<std::string, Case> cases;
  const std::string remedy = fmt::format(
      "a case of this network is {} files, CASE_0000 to CASE{}, in one folder (or say that every "
      "file is a case of its own: --one-file-per-case)",
      channels, last_channel(channels));
  for (const auto& [name, file] : files) {  // in name order, so channels come in order
    const std::optional<std::int64_t> channel = channel_in(name);
    require<DataError>(channel.has_value(), "{}: does not end in the number of a channel as other files do; {}",
                       file.string(), remedy);
    require<DataError>(*channel < channels, "{}: the network has {} (_0000 to {}), no channel {}; {}", file.string(),
                       counted(channels, "channel"), last_channel(channels), *channel, remedy);
    const std::string id = without_channel(name);
    Case& one = cases[id];
    const std::int64_t expected = std::int64_t(one.images.size());
    require<DataError>(*channel == expected, "{}: channel {}_{:04} of this case is missing; {}", file.string(), id, expected,
                       remedy);
    one.id = one.patient = id;
    one.images.push_back(file);
  }
  std::vector<Case> list;
  for (auto& [id, one] : cases) {
    require<DataError>(std::int64_t(one.images.size()) == channels, "{}: channel {}_{:04} of this case is missing; {}",
                       one.images.back().string(), id, one.images.size(), remedy);
    list.push_back(std::move(one));
  }
  return list;
}

PredictionInput of_files(const Files& files, const InputOptions& options) {
  PredictionInput input;
  const std::int64_t count = std::int64_t(files.size());
  if (are_channels(files, options)) {
    input.cases = cases_of_channels(files, options.channels);
    input.notes.push_back(fmt::format("{} are the channels _0000 to {} of {} (--one-file-per-case if each is a case)",
                                      counted(count, "file"), last_channel(options.channels),
                                      counted(std::int64_t(input.cases.size()), "case")));
    return input;
  }
  const bool first_channels =
      !options.every_file && std::all_of(files.begin(), files.end(), [](const auto& f) { return channel_in(f.first) == 0; });
  for (const auto& [name, file] : files) {
    Case one = datasets::case_of_file(file);
    if (first_channels) one.id = one.patient = without_channel(one.id);
    input.cases.push_back(std::move(one));
  }
  input.notes.push_back(fmt::format("{}, {} case{}", counted(count, "file"), count == 1 ? "one" : "each one",
                                    first_channels ? "; masks are named without _0000" : ""));
  return input;
}

datasets::Dataset open_images(const fs::path& folder, const InputOptions& options) {
  datasets::OpenOptions images;
  images.images_for = options.channels;
  return datasets::open_dataset(folder, images);
}

PredictionInput of_dataset(const fs::path& folder, const InputOptions& options) {
  datasets::Dataset data = open_images(folder, options);
  PredictionInput input{std::move(data.test), std::move(data.warnings)};
  const bool test = !input.cases.empty();
  if (!test)
    for (std::vector<Case>* part : {&data.cases, &data.validation})
      std::move(part->begin(), part->end(), std::back_inserter(input.cases));
  input.notes.push_back(fmt::format("data set {} (layout {}): its {}", data.name, data.layout,
                                    counted(std::int64_t(input.cases.size()), test ? "test case" : "case")));
  return input;
}

PredictionInput of_folder(const fs::path& folder, const InputOptions& options) {
  datasets::ImageFolder in = datasets::look_into(folder);
  require<DataError>(in.errors.empty(), "{}", fmt::join(in.errors, "\n"));
  std::vector<std::string> notes = in.passed_over(), labels;
  std::erase_if(in.files, [&](const auto& entry) {
    if (!datasets::is_label_of_neighbour(entry.second)) return false;
    labels.push_back(entry.second.filename().string());
    return true;
  });
  if (!labels.empty())
    notes.push_back(
        fmt::format("{}: passed over as labels of images beside them: {}", folder.string(), datasets::some_of(labels)));
  require<engine::MissingInput>(!in.files.empty(), "{}: no images here; they must end in one of {}{}", folder.string(),
                                datasets::format_names(),
                                notes.empty() ? "" : "\n" + fmt::format("{}", fmt::join(notes, "\n")));
  PredictionInput input = of_files(in.files, options);
  input.notes.insert(input.notes.begin(), notes.begin(), notes.end());
  return input;
}

/// Puts the cases in order; DataError where two have the same name.
PredictionInput sorted(PredictionInput found, const InputOptions& options) {
  std::sort(found.cases.begin(), found.cases.end(), [](const Case& a, const Case& b) { return a.id < b.id; });
  for (std::size_t i = 0; i < found.cases.size(); ++i) {
    if (options.axes) found.cases[i].axes = *options.axes;
    require<DataError>(i == 0 || found.cases[i].id != found.cases[i - 1].id,
                       "{} and {}: the masks of both would be called {}; rename one",
                       found.cases[i ? i - 1 : 0].images[0].string(), found.cases[i].images[0].string(), found.cases[i].id);
  }
  return found;
}

using Ids = std::vector<std::string>;

const Ids& part_of(const datasets::Split& split, const std::string& name) {
  return name == "labelled"     ? split.labelled
         : name == "unlabelled" ? split.unlabelled
         : name == "validation" ? split.validation
                                : split.test;
}

}  // namespace

PredictionInput find_part(const fs::path& dataset, const InputOptions& options, const DividedPart& part) {
  require<DataError>(datasets::is_dataset(dataset),
                     "{}: is no data set in a layout that sagcl-train reads, so it has no {} part", dataset.string(),
                     part.name);
  datasets::Dataset data = open_images(dataset, options);
  PredictionInput found{{}, std::move(data.warnings)};
  for (const std::string& id : part_of(part.splits.at(0), part.name))
    if (std::ranges::all_of(part.splits, [&](const auto& s) { return std::ranges::count(part_of(s, part.name), id) > 0; }))
      found.cases.push_back(datasets::find_case(data, id));
  const std::string of = part.splits.size() > 1 ? fmt::format("all {} runs", part.splits.size()) : "the run";
  require<engine::MissingInput>(!found.cases.empty(), "{}: no case is {} in {}", dataset.string(), part.name, of);
  found.notes.push_back(fmt::format("data set {} (layout {}): {} that {} {} in {}", data.name, data.layout,
                                    counted(std::int64_t(found.cases.size()), "case"),
                                    found.cases.size() == 1 ? "is" : "are", part.name, of));
  return sorted(std::move(found), options);
}

PredictionInput find_images(const fs::path& input, const InputOptions& options) {
  const bool folder = fs::is_directory(input);
  require<DataError>(folder || !datasets::case_name(input).empty(), "{}: is not read; convert it to one of {}",
                     input.string(), datasets::format_names());
  PredictionInput found = !folder                       ? of_files({{datasets::case_name(input), input}}, options)
                          : datasets::is_dataset(input) ? of_dataset(input, options)
                                                        : of_folder(input, options);
  return sorted(std::move(found), options);
}

}  // namespace sagcl::tools
