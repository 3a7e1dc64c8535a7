#include "datasets/layouts/folder.h"

#include <algorithm>

#include "datasets/formats/formats.h"
#include "datasets/text.h"
#include "engine/error.h"

namespace sagcl::datasets {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t suffix_length = 5;  // "_0000"

bool is_litter(const std::string& name) { return name.starts_with('.') || name == "Thumbs.db" || name == "desktop.ini"; }

/// ".mha", ".tar.gz": the last ending, with the one before a compression's; "" for a name without.
std::string ending_of(const fs::path& file) {
  std::string ending = file.extension().string();
  if (ending == ".gz" || ending == ".bz2" || ending == ".zst") ending = file.stem().extension().string() + ending;
  return lower(ending);
}

/// What to do with files of an ending that is not read.
std::string remedy_for(const std::string& ending) {
  if (ending == ".dcm" || ending == ".ima") return "write NIfTI files of them with dcm2niix";
  std::string text = "convert images to one of " + format_names();
  if (ending == ".jpg" || ending == ".jpeg")
    text += "; JPEG changes the values of masks: make them anew, or convert them to .png and give the rule cut:128";
  return text;
}

void add(ImageFolder& in, const fs::path& file) {
  const std::string name = file.filename().string(), stem = case_name(file);
  if (is_litter(name)) return;
  std::error_code error;
  const fs::file_status status = fs::status(file, error);
  const bool link = fs::is_symlink(fs::symlink_status(file, error));
  if (fs::is_directory(status)) {
    in.others["/"].push_back(printable(name));
  } else if (stem.empty()) {
    in.others[ending_of(file)].push_back(printable(name));
  } else if (status.type() == fs::file_type::not_found && link) {
    in.errors.push_back(
        fmt::format("{}: is a link to {}, which is not there; fetch its content (git annex get, datalad get) or "
                    "remove it",
                    file.string(), fs::read_symlink(file, error).string()));
  } else if (!fs::is_regular_file(status)) {
    in.errors.push_back(fmt::format("{}: is not a file that can be read; check its permissions", file.string()));
  } else if (const auto [earlier, fresh] = in.files.emplace(stem, file); !fresh) {
    in.errors.push_back(fmt::format("{}: two files have the same name {}: {} and {}; keep one of them", in.folder.string(),
                                    stem, earlier->second.filename().string(), name));
  }
}

}  // namespace

std::vector<std::string> ImageFolder::passed_over() const {
  std::vector<std::string> texts;
  for (const auto& [ending, names] : others) {
    const char *one = names.size() == 1 ? "is" : "are", *plural = names.size() == 1 ? "" : "s";
    if (ending == "/")
      texts.push_back(
          fmt::format("{}: {} folder{} {} passed over ({}); files are looked for directly here: move images up and "
                      "name each by its case",
                      folder.string(), names.size(), plural, one, some_of(names)));
    else
      texts.push_back(fmt::format("{}: {} file{} {} passed over ({}): {} is not read; {}", folder.string(), names.size(),
                                  plural, one, some_of(names), ending.empty() ? "a name without ending" : ending,
                                  remedy_for(ending)));
  }
  return texts;
}

std::optional<std::int64_t> channel_in(const std::string& name) {
  if (name.size() <= suffix_length || name[name.size() - suffix_length] != '_') return std::nullopt;
  const std::string_view digits = std::string_view(name).substr(name.size() - suffix_length + 1);
  if (!std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  return number_in<std::int64_t>(digits);
}

std::string without_channel(const std::string& name) { return name.substr(0, name.size() - suffix_length); }

ImageFolder look_into(const fs::path& folder) {
  ImageFolder in;
  in.folder = folder;
  std::error_code error;
  if (!fs::exists(folder, error)) return in;
  std::vector<fs::path> entries;
  fs::directory_iterator it(folder, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) entries.push_back(it->path());
  engine::require<engine::IoError>(!error, "{}: the folder cannot be read: {}; check its permissions", folder.string(),
                                   error.message());
  std::sort(entries.begin(), entries.end());
  for (const fs::path& entry : entries) add(in, entry);
  return in;
}

}  // namespace sagcl::datasets
