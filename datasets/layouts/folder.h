#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sagcl::datasets {

/// What lies in a folder of images: the files that are read, and in words what is not, so that nothing is passed over
/// silently.
struct ImageFolder {
  std::map<std::string, std::filesystem::path> files;      ///< by case name (formats.h)
  std::map<std::string, std::vector<std::string>> others;  ///< by ending: names of files that are not read; "/": folders
  std::vector<std::string> errors;  ///< two files of one name, links that lead nowhere, files that cannot be looked at

  /// A sentence for each kind of `others`.
  std::vector<std::string> passed_over() const;
  std::filesystem::path folder;
};

/// Looks into a folder; an absent one is empty. Hidden files and what systems leave behind (Thumbs.db, desktop.ini) do not
/// count. IoError if the folder cannot be read.
ImageFolder look_into(const std::filesystem::path& folder);

/// The channel that a name ends in as nnU-Net writes it: 1 for "la_003_0001".
std::optional<std::int64_t> channel_in(const std::string& name);
/// "la_003" for "la_003_0001"; the name must end in a channel.
std::string without_channel(const std::string& name);

}  // namespace sagcl::datasets
