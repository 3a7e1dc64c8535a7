#include <algorithm>
#include <set>

#include "datasets/formats/formats.h"
#include "datasets/layouts/layout_kinds.h"
#include "datasets/text.h"

// Images and masks in two folders: EBHI-Seg (by class, with list.tsv), CRAG (train and valid or test, each Images and
// Annotation), Sunnybrook (Images and Labels, of one or more parts).
namespace sagcl::datasets {

using std::filesystem::path;

namespace {

/// The first of these folders that exists.
path first_of(const path& folder, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (present(folder / name)) return folder / name;
  return folder / *names.begin();
}

path masks_of(const path& part) { return first_of(part, {"Annotation", "Annotations"}); }

bool is_crag(const path& folder) { return present(folder / "train" / "Images") && present(masks_of(folder / "train")); }

void open_crag(const path& folder, const Complaints& complain, Dataset& d) {
  d.channels = 3;
  d.classes = {"background", "gland"};
  d.labels.instances = true;  // an annotation numbers its glands
  d.cases = pair_files(folder / "train" / "Images", masks_of(folder / "train"), complain);
  if (const path other = first_of(folder, {"test", "valid"}); present(other))
    d.test = pair_files(other / "Images", masks_of(other), complain);
}

bool is_pairs(const path& folder) { return present(folder / "Images") && present(folder / "Labels"); }

void open_pairs(const path& folder, const Complaints& complain, Dataset& d) {
  d.channels = 1;
  d.classes = {"background", "left ventricle"};
  d.labels.map = {{0, 0}, {255, 1}};
  std::vector<path> parts = {""};
  for (const path& part : folders_of(folder / "Images")) parts.push_back(part.filename());
  for (const path& part : parts)
    for (Case& one : pair_files(folder / "Images" / part, folder / "Labels" / part, complain, part.empty())) {
      one.patient = one.id.substr(0, one.id.find("-IM"));
      d.cases.push_back(std::move(one));
    }
}

bool is_list(const path& folder) { return present(folder / "list.tsv"); }

void open_list(const path& folder, const Complaints& complain, Dataset& d) {
  const path list = folder / "list.tsv";
  d.channels = 3;
  d.classes = {"background", "gland"};
  d.labels.threshold = 128;
  std::set<std::string> classes;
  std::set<path> listed;
  for (const ListRow& row : parse_list_tsv(read_text(list), list.string())) {
    std::string id = printable(row.tile_class) + "__" + case_name(row.file);
    classes.insert(row.tile_class);
    std::replace_if(
        id.begin(), id.end(), [](char c) { return c == ' ' || c == '/'; }, '_');
    const path image = inside(folder, row.tile_class + "/image/" + row.file, list.string()),
               label = inside(folder, row.tile_class + "/label/" + row.file, list.string());
    bool there = true;
    std::vector<path> needed = {image};
    if (complain.images_for() == 0) needed.push_back(label);
    for (const path& p : needed)
      if (!present(p)) {
        complain("{}: lists {}, which does not exist; add the file or remove the line", list.string(), p.string());
        there = false;
      }
    if (there) d.cases.push_back({id, row.patient, {image}, label});
    listed.insert(image);
  }
  std::vector<std::string> unlisted;
  for (const std::string& tile_class : classes)
    for (const auto& [name, file] : files_of(inside(folder, tile_class + "/image", list.string()), complain))
      if (!listed.count(file.lexically_normal())) unlisted.push_back(printable(tile_class) + "/" + name);
  warn_of_unlisted(unlisted, list, complain);
  std::sort(d.cases.begin(), d.cases.end(), [](const Case& a, const Case& b) { return a.id < b.id; });
}

}  // namespace

const Layout list_layout = {"EBHI-Seg", "list.tsv with <class>/image and <class>/label", is_list, open_list};
const Layout tiles_layout = {"CRAG", "train/Images with train/Annotation, and the same in valid or test", is_crag,
                             open_crag};
const Layout pairs_layout = {"Sunnybrook", "Images and Labels, files of the same names", is_pairs, open_pairs};

}  // namespace sagcl::datasets
