#include "datasets/layouts.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "datasets/formats.h"
#include "datasets/png.h"
#include "engine/safetensors.h"

namespace sagcl::datasets {

using engine::DataError;
using engine::fail;
using engine::require;
using std::filesystem::path;

namespace {

constexpr std::int64_t max_found_classes = 64;  // more distinct values without a dataset.json are a sign of something else

bool present(const path& p) {
  std::error_code error;
  return std::filesystem::exists(p, error);
}

/// Stem -> file, for the images directly in a folder. Hidden files (also macOS's "._name" copies) and other types are
/// skipped.
std::map<std::string, path> files_of(const path& folder) {
  std::map<std::string, path> files;
  if (!present(folder)) return files;
  std::error_code error;
  std::filesystem::directory_iterator it(folder, error);
  require<DataError>(!error, "{}: the folder cannot be read: {}; check its permissions", folder.string(), error.message());
  for (const auto& entry : it) {
    const std::string file = entry.path().filename().string(), stem = case_name(entry.path());
    if (stem.empty() || !entry.is_regular_file(error)) continue;
    const auto [earlier, fresh] = files.emplace(stem, entry.path());
    require<DataError>(fresh, "{}: the folder holds {} twice, as {} and {}; keep one", folder.string(), stem,
                       earlier->second.filename().string(), file);
  }
  return files;
}

bool has_channel_suffix(const std::string& stem) {
  const std::size_t n = stem.size();
  return n > 5 && stem[n - 5] == '_' && std::all_of(stem.end() - 4, stem.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// True if the files are named as nnU-Net does, <case>_<channel>. A label whose name equals a whole image name says
/// otherwise.
bool uses_channel_suffix(const std::map<std::string, path>& images, const std::map<std::string, path>& labels) {
  return !images.empty() && std::all_of(images.begin(), images.end(), [&](const auto& f) {
    return has_channel_suffix(f.first) && !labels.count(f.first);
  });
}

/// Case id -> its image files in channel order.
std::map<std::string, std::vector<path>> group_channels(const std::map<std::string, path>& images, bool suffixed) {
  std::map<std::string, std::vector<path>> cases;
  for (const auto& [stem, file] : images) {  // sorted, so channels arrive in order
    if (!suffixed) {
      cases[stem] = {file};
      continue;
    }
    require<DataError>(has_channel_suffix(stem), "{}: lacks the channel suffix (_0000) that the other images have",
                       file.string());
    auto& channels = cases[stem.substr(0, stem.size() - 5)];
    require<DataError>(std::stoul(stem.substr(stem.size() - 4)) == channels.size(),
                       "{}: channel {} of this case is missing, channels are numbered from _0000 without gaps",
                       file.string(), channels.size());
    channels.push_back(file);
  }
  return cases;
}

std::string patient_of(const std::string& id, const std::string& until) {
  return until.empty() ? id : id.substr(0, id.find(until));
}

/// Cases of an image folder, with the labels that exist; `labels` loses the ones used.
std::vector<Case> collect(const path& folder, bool suffixed, std::map<std::string, path>& labels,
                          const DatasetNotes& notes) {
  std::vector<Case> cases;
  for (auto& [id, files] : group_channels(files_of(folder), suffixed)) {
    Case one{id, patient_of(id, notes.patient_until), std::move(files), {}};
    if (const auto found = labels.find(id); found != labels.end()) {
      one.label = found->second;
      labels.erase(found);
    }
    cases.push_back(std::move(one));
  }
  return cases;
}

void require_label_has_image(const std::map<std::string, path>& left, const path& images) {
  if (!left.empty())
    fail<DataError>("{}: a label without an image in {} ({} such labels); add the image or remove the label",
                    left.begin()->second.string(), images.string(), left.size());
}

std::int64_t channels_of(const std::vector<Case>& cases) {
  const Case& first = cases.front();
  for (const Case& one : cases)
    require<DataError>(one.images.size() == first.images.size(), "{}: case {} has {} channel files, case {} has {}",
                       one.images[0].string(), one.id, one.images.size(), first.id, first.images.size());
  if (first.images.size() > 1) return std::int64_t(first.images.size());
  const path& file = first.images[0];
  if (!is_png(file)) return read_image(file, 0, first.axes).voxels.shape()[3];
  return check_png(engine::read_file(file), file.string()).is_grey() ? 1 : 3;
}

/// Names for the classes when dataset.json does not give them: from the rule, or by looking at every label.
std::vector<std::string> find_classes(const Dataset& d) {
  std::int64_t highest = d.labels.threshold ? 1 : 0;
  for (const auto& [stored, number] : d.labels.map) highest = std::max(highest, number);
  if (highest == 0)
    for (const Case& one : d.cases) {
      if (!one.has_label()) continue;
      for (double v : read_label_values(one.label, nullptr, one.axes).to_doubles()) {
        require<DataError>(v >= 0 && v == std::floor(v) && v < double(max_found_classes),
                           "{}: has the label value {}; without a dataset.json the values must be classes 0 to {}. Write "
                           "one with \"labels\" and \"label_map\" or \"label_threshold\"",
                           one.label.string(), v, max_found_classes - 1);
        highest = std::max(highest, std::int64_t(v));
      }
    }
  require<DataError>(highest >= 1, "{}: no class besides the background was found; name the classes in {}",
                     d.folder.string(), (d.folder / "dataset.json").string());
  std::vector<std::string> names = {"background"};
  for (std::int64_t c = 1; c <= highest; ++c) names.push_back(fmt::format("class {}", c));
  return names;
}

Dataset open_decathlon(const path& folder) {
  const path notes_file = folder / "dataset.json";
  const DatasetNotes notes =
      present(notes_file) ? parse_dataset_json(engine::read_file(notes_file, std::size_t(64) << 20), notes_file.string())
                          : DatasetNotes{};
  for (const auto& [image, label] : notes.training)
    for (const std::string& listed : {image, label})
      require<DataError>(present(inside(folder, listed, notes_file.string())),
                         "{}: lists {}, which does not exist; add the file or remove it from the list", notes_file.string(),
                         (folder / listed).lexically_normal().string());
  Dataset d;
  d.folder = folder;
  d.name = notes.name.empty() ? std::filesystem::absolute(folder).lexically_normal().filename().string() : notes.name;
  if (d.name.empty()) d.name = "data set";
  d.labels = notes.labels;
  std::map<std::string, path> labels = files_of(folder / "labelsTr");
  const bool suffixed = uses_channel_suffix(files_of(folder / "imagesTr"), labels);
  d.cases = collect(folder / "imagesTr", suffixed, labels, notes);
  require_label_has_image(labels, folder / "imagesTr");
  std::map<std::string, path> none, test_labels = files_of(folder / "labelsTs");
  for (Case& one : collect(folder / "imagesUn", suffixed, none, notes)) d.cases.push_back(std::move(one));
  d.test = collect(folder / "imagesTs", suffixed, test_labels, notes);
  require_label_has_image(test_labels, folder / "imagesTs");
  require<DataError>(!d.cases.empty(), "{}: holds no image ({})", (folder / "imagesTr").string(), format_names());
  d.channels = channels_of(d.cases);
  d.classes = notes.classes.empty() ? find_classes(d) : notes.classes;
  return d;
}

Dataset open_list(const path& folder) {
  const path list = folder / "list.tsv";
  Dataset d;
  d.folder = folder;
  d.name = std::filesystem::absolute(folder).lexically_normal().filename().string();
  d.channels = 3;
  d.classes = {"background", "gland"};
  d.labels.threshold = 128;
  for (const ListRow& row : parse_list_tsv(engine::read_file(list, std::size_t(64) << 20), list.string())) {
    std::string id = row.tile_class + "__" + case_name(row.file);
    std::replace_if(
        id.begin(), id.end(), [](char c) { return c == ' ' || c == '/'; }, '_');
    const path image = inside(folder, row.tile_class + "/image/" + row.file, list.string()),
               label = inside(folder, row.tile_class + "/label/" + row.file, list.string());
    for (const path& p : {image, label})
      require<DataError>(present(p), "{}: lists {}, which does not exist; add the file or remove the line", list.string(),
                         p.string());
    d.cases.push_back({id, row.patient, {image}, label});
  }
  return d;
}

}  // namespace

Dataset open_dataset(const path& folder) {
  std::error_code error;
  require<DataError>(std::filesystem::is_directory(folder, error), "{}: is not a folder that can be read{}", folder.string(),
                     error ? ": " + error.message() : "");
  std::filesystem::directory_iterator readable(folder, error);
  require<DataError>(!error, "{}: the folder cannot be read: {}; check its permissions", folder.string(), error.message());
  const bool decathlon = present(folder / "imagesTr"), list = present(folder / "list.tsv");
  require<DataError>(
      decathlon || list,
      "{}: holds neither imagesTr (Decathlon and nnU-Net layout) nor list.tsv; give the folder that contains one of them",
      folder.string());
  Dataset d = decathlon ? open_decathlon(folder) : open_list(folder);
  std::sort(d.cases.begin(), d.cases.end(), [](const Case& a, const Case& b) { return a.id < b.id; });
  std::set<std::string> ids;
  for (const std::vector<Case>* part : {&d.cases, &d.test})
    for (const Case& one : *part)
      require<DataError>(ids.insert(one.id).second, "{}: the case {} appears twice; rename one of its files",
                         folder.string(), one.id);
  return d;
}

}  // namespace sagcl::datasets
