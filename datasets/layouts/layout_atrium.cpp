#include "datasets/formats/formats.h"
#include "datasets/layouts/layout_kinds.h"
#include "datasets/text.h"

// Left atrium (LA 2018): a folder per case, as the challenge gave it (lgemri.nrrd, laendo.nrrd) or as the community passes
// it around (mri_norm2.h5 with image and label, axes x, y, z, beside train.list and test.list).
namespace sagcl::datasets {

using std::filesystem::path;

namespace {

constexpr const char *scan = "lgemri.nrrd", *mask = "laendo.nrrd", *together = "mri_norm2.h5";

bool is_case(const path& folder) { return present(folder / scan) || present(folder / together); }

/// The case folders: directly in the folder or in one of its subfolders ("2018LA_Seg_Training Set", "Training Set", "Testing
/// Set").
std::vector<path> case_folders(const path& folder) {
  std::vector<path> found;
  for (const path& one : folders_of(folder)) {
    if (is_case(one)) found.push_back(one);
    else
      for (const path& inner : folders_of(one))
        if (is_case(inner)) found.push_back(inner);
  }
  return found;
}

bool is_atrium(const path& folder) { return !case_folders(folder).empty(); }

Case case_of(const path& folder, const Complaints& complain) {
  Case one = case_of_file(folder / (present(folder / together) ? together : scan));
  if (present(folder / together)) one.label = one.images[0];
  else if (present(folder / mask)) one.label = folder / mask;
  else complain.of_label("{}: lacks {}; copy it from the challenge's data, or remove the folder", folder.string(), mask);
  return one;
}

void open_atrium(const path& folder, const Complaints& complain, Dataset& d) {
  d.channels = 1;
  d.classes = {"background", "atrium"};
  std::map<std::string, path> left;
  bool official = false;
  for (const path& one : case_folders(folder)) {
    if (!left.emplace(one.filename().string(), one).second)
      complain("{}: the case lies in two folders; remove one", one.string());
    official = official || !present(one / together);
  }
  if (official) d.labels.map = {{0, 0}, {255, 1}};
  const bool lists = present(folder / "train.list");
  if (lists && official)
    complain("{}: the lists go with mri_norm2.h5 files; remove the list or use the h5 files throughout",
             (folder / "train.list").string());
  const std::pair<const char*, std::vector<Case>*> parts[] = {
      {"train.list", &d.cases}, {"val.list", &d.validation}, {"test.list", &d.test}};
  for (const auto& [file, part] : parts) {
    const path list = folder / file;
    if (!lists || !present(list)) continue;
    for (const std::string& name : read_list(list, complain)) {
      const auto found = left.find(name);
      if (found == left.end()) {
        complain(
            "{}: lists {}, of which there is no folder with {} (or it is in another list already); correct or remove the "
            "line",
            list.string(), name, together);
        continue;
      }
      part->push_back(case_of(found->second, complain));
      left.erase(found);
    }
  }
  std::vector<std::string> unlisted;
  for (const auto& [name, where] : left) unlisted.push_back(printable(name));
  if (lists) warn_of_unlisted(unlisted, folder, complain);
  else
    for (const auto& [name, where] : left) d.cases.push_back(case_of(where, complain));
}

}  // namespace

Case case_of_file(const path& file) {
  const std::string name = file.filename().string();
  const bool of_folder = name == together || name == scan;
  const path folder = std::filesystem::absolute(file).lexically_normal().parent_path();
  const std::string id = of_folder ? printable(folder.filename().string()) : case_name(file);
  return {id, id, {file}, {}, name == together ? Axes::xyz : Axes::zyx};
}

bool is_label_of_neighbour(const path& file) {
  if (file.filename() == mask) return present(file.parent_path() / scan);
  const std::string stem = case_name(file), name = file.filename().string();
  if (!stem.ends_with("_gt")) return false;
  const std::string image = stem.substr(0, stem.size() - 3) + name.substr(stem.size());
  return present(file.parent_path() / image);
}

const Layout atrium_layout = {"LA", "<case>/lgemri.nrrd with laendo.nrrd, or <case>/mri_norm2.h5 with train.list", is_atrium,
                              open_atrium};

}  // namespace sagcl::datasets
