#include "datasets/layout_kinds.h"

#include <algorithm>
#include <set>

#include "datasets/formats.h"
#include "engine/safetensors.h"

namespace sagcl::datasets {

using engine::DataError;
using engine::require;
using std::filesystem::path;

bool present(const path& p) {
  std::error_code error;
  return std::filesystem::exists(p, error);
}

namespace {

std::vector<path> entries_of(const path& folder) {
  std::vector<path> entries;
  if (!present(folder)) return entries;
  std::error_code error;
  std::filesystem::directory_iterator it(folder, error);
  require<DataError>(!error, "{}: the folder cannot be read: {}; check its permissions", folder.string(), error.message());
  for (const auto& entry : it) entries.push_back(entry.path());
  std::sort(entries.begin(), entries.end());
  return entries;
}

}  // namespace

std::map<std::string, path> files_of(const path& folder) {
  std::map<std::string, path> files;
  for (const path& file : entries_of(folder)) {
    const std::string stem = case_name(file);
    std::error_code error;
    if (stem.empty() || !std::filesystem::is_regular_file(file, error)) continue;
    const auto [earlier, fresh] = files.emplace(stem, file);
    require<DataError>(fresh, "{}: the folder holds {} twice, as {} and {}; keep one", folder.string(), stem,
                       earlier->second.filename().string(), file.filename().string());
  }
  return files;
}

std::vector<path> folders_of(const path& folder) {
  std::vector<path> folders = entries_of(folder);
  std::erase_if(folders, [](const path& p) {
    std::error_code error;
    return p.filename().string().starts_with('.') || !std::filesystem::is_directory(p, error);
  });
  return folders;
}

std::vector<std::string> read_list(const path& file, const Complaints& complain) {
  const std::string text = engine::read_file(file, std::size_t(64) << 20);
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

std::vector<Case> pair_files(const path& images, const path& labels, const Complaints& complain) {
  std::vector<Case> cases;
  std::map<std::string, path> masks = files_of(labels);
  for (const auto& [name, image] : files_of(images)) {
    const auto mask = masks.find(name);
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
  for (const auto& [name, mask] : masks)
    complain("{}: a label without an image in {} ({} such labels); add the image or remove the label", mask.string(),
             images.string(), masks.size());
  return cases;
}

}  // namespace sagcl::datasets
