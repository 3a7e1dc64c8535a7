#include <algorithm>

#include "datasets/layout_kinds.h"
#include "engine/safetensors.h"

// The layout of nnU-Net and the Medical Segmentation Decathlon: imagesTr, labelsTr, imagesUn, imagesTs, labelsTs,
// dataset.json.
namespace sagcl::datasets {

using engine::DataError;
using engine::require;
using std::filesystem::path;

namespace {

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

/// Who a case belongs to: "patients" of dataset.json names it, else the id up to "patient_until".
std::string patient_of(const std::string& id, const DatasetNotes& notes) {
  if (const auto named = notes.patients.find(id); named != notes.patients.end()) return named->second;
  return notes.patient_until.empty() ? id : id.substr(0, id.find(notes.patient_until));
}

/// Cases of an image folder, with the labels that exist; `labels` loses the ones used.
std::vector<Case> collect(const path& folder, bool suffixed, std::map<std::string, path>& labels,
                          const DatasetNotes& notes) {
  std::vector<Case> cases;
  for (auto& [id, files] : group_channels(files_of(folder), suffixed)) {
    Case one{id, patient_of(id, notes), std::move(files), {}};
    if (const auto found = labels.find(id); found != labels.end()) {
      one.label = found->second;
      labels.erase(found);
    }
    cases.push_back(std::move(one));
  }
  return cases;
}

void complain_of_masks_left(const std::map<std::string, path>& left, const path& images, const Complaints& complain) {
  for (const auto& [name, mask] : left)
    complain("{}: a label without an image in {} ({} such labels); add the image or remove the label", mask.string(),
             images.string(), left.size());
}

bool recognised(const path& folder) { return present(folder / "imagesTr"); }

void open(const path& folder, const Complaints& complain, Dataset& d) {
  const path notes_file = folder / "dataset.json";
  const DatasetNotes notes =
      present(notes_file) ? parse_dataset_json(engine::read_file(notes_file, std::size_t(64) << 20), notes_file.string())
                          : DatasetNotes{};
  for (const auto& [image, label] : notes.training)
    for (const std::string& listed : {image, label})
      if (!present(inside(folder, listed, notes_file.string())))
        complain("{}: lists {}, which does not exist; add the file or remove it from the list", notes_file.string(),
                 (folder / listed).lexically_normal().string());
  if (!notes.name.empty()) d.name = notes.name;
  d.labels = notes.labels, d.classes = notes.classes;
  std::map<std::string, path> labels = files_of(folder / "labelsTr");
  const bool suffixed = uses_channel_suffix(files_of(folder / "imagesTr"), labels);
  d.cases = collect(folder / "imagesTr", suffixed, labels, notes);
  complain_of_masks_left(labels, folder / "imagesTr", complain);
  std::map<std::string, path> none, test_labels = files_of(folder / "labelsTs");
  for (Case& one : collect(folder / "imagesUn", suffixed, none, notes)) d.cases.push_back(std::move(one));
  d.test = collect(folder / "imagesTs", suffixed, test_labels, notes);
  complain_of_masks_left(test_labels, folder / "imagesTs", complain);
  const auto held_out = std::stable_partition(d.cases.begin(), d.cases.end(), [&](const Case& one) {
    return std::find(notes.validation.begin(), notes.validation.end(), one.id) == notes.validation.end();
  });
  d.validation.assign(std::make_move_iterator(held_out), std::make_move_iterator(d.cases.end()));
  d.cases.erase(held_out, d.cases.end());
  if (d.validation.size() != notes.validation.size())
    complain("{}: 'validation' names {} cases, {} of them are in imagesTr; correct the list", notes_file.string(),
             notes.validation.size(), d.validation.size());
  const auto by_id = [](const Case& a, const Case& b) { return a.id < b.id; };
  for (std::vector<Case>* part : {&d.cases, &d.validation}) std::sort(part->begin(), part->end(), by_id);
}

}  // namespace

const Layout decathlon_layout = {"nnU-Net", "imagesTr with labelsTr (Decathlon and nnU-Net layout)", recognised, open};

}  // namespace sagcl::datasets
