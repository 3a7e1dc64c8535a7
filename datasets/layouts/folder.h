#pragma once
#include <filesystem>
#include <map>
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

}  // namespace sagcl::datasets
