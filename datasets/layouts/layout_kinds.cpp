#include "datasets/layouts/layout_kinds.h"

#include <algorithm>
#include <set>

#include "datasets/text.h"

namespace sagcl::datasets {

using engine::require;
using std::filesystem::path;

bool present(const path& p) {
  std::error_code error;
  return std::filesystem::exists(p, error);
}

std::map<std::string, path> files_of(const path& folder, const Complaints& complain,
                                     std::initializer_list<const char*> expected) {
  ImageFolder in = look_into(folder);
  for (const std::string& text : in.errors) complain("{}", text);
  for (const char* ending : expected) in.others.erase(ending);
  for (const std::string& text : in.passed_over()) complain.warn("{}", text);
  return std::move(in.files);
}

std::vector<path> folders_of(const path& folder) {
  std::vector<path> folders;
  std::error_code error;
  if (!present(folder)) return folders;
  std::filesystem::directory_iterator it(folder, error);
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    std::error_code ignored;
    const bool hidden = it->path().filename().string().starts_with('.');
    if (!hidden && std::filesystem::is_directory(it->path(), ignored)) folders.push_back(it->path());
  }
  require<engine::IoError>(!error, "{}: the folder cannot be read: {}; check its permissions", folder.string(),
                           error.message());
  std::sort(folders.begin(), folders.end());
  return folders;
}

std::vector<std::string> read_list(const path& file, const Complaints& complain) {
  const std::string text = read_text(file);
  std::vector<std::string> names;
  std::set<std::string> seen;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string name = text.substr(begin, end - begin);
    begin = end + 1;
    name.erase(name.find_last_not_of(" \t\r") + 1);
    if (name.ends_with(".h5")) name.resize(name.size() - 3);
    if (name.empty()) continue;
    if (seen.insert(name).second) names.push_back(name);
    else complain("{}: lists {} twice; remove one of the lines", file.string(), name);
  }
  if (names.empty()) complain("{}: lists no case; write one name a line", file.string());
  return names;
}

std::vector<Case> pair_files(const path& images, const path& labels, const Complaints& complain, bool parts) {
  const std::initializer_list<const char*> folders = {"/"}, nothing = {};
  std::vector<Case> cases;
  const bool images_alone = complain.images_for() > 0;
  std::map<std::string, path> masks;
  if (!images_alone) masks = files_of(labels, complain, parts ? folders : nothing);
  for (const auto& [name, image] : files_of(images, complain, parts ? folders : nothing)) {
    const auto mask = masks.find(name);
    if (images_alone) {
      cases.push_back({name, name, {image}, {}});
      continue;
    }
    if (mask == masks.end()) {
      complain(
          "{}: has no mask in {}; add the mask, or remove the image (images without labels can be used from imagesUn, see "
          "sagcl-data convert)",
          image.string(), labels.string());
      continue;
    }
    cases.push_back({name, name, {image}, mask->second});
    masks.erase(mask);
  }
  complain_of_masks_left(masks, images, complain);
  return cases;
}

void complain_of_masks_left(const std::map<std::string, path>& left, const path& images, const Complaints& complain) {
  if (left.empty()) return;
  const path& first = left.begin()->second;
  std::vector<std::string> names;
  for (const auto& [name, mask] : left) names.push_back(printable(mask.filename().string()));
  if (left.size() == 1)
    complain("{}: a label without an image in {}; add the image or remove the label", first.string(), images.string());
  else
    complain("{}: {} labels without an image in {} ({}); add the images or remove the labels", first.parent_path().string(),
             left.size(), images.string(), some_of(names, most_named));
}

void warn_of_unlisted(const std::vector<std::string>& names, const path& where, const Complaints& complain) {
  if (!names.empty())
    complain.warn("{}: {} cases are named in no list, so they are not used ({}); add them to a list if they should be",
                  where.string(), names.size(), some_of(names));
}

}  // namespace sagcl::datasets
