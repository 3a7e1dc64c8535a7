#include "engine/devices/libraries.h"

#include <dlfcn.h>
#include <glob.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <vector>

namespace sagcl::engine {
namespace {

using std::filesystem::path;

void add_matches(const std::string& pattern, std::vector<path>& folders) {
  glob_t found{};
  if (::glob(pattern.c_str(), GLOB_ONLYDIR, nullptr, &found) == 0)
    folders.insert(folders.end(), found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
}

std::vector<path> folders_to_search() {
  std::vector<path> folders;
  if (const char* named = std::getenv("SAGCL_CUDA_LIBS")) {
    const std::string list = named;
    for (std::size_t begin = 0; begin <= list.size();) {
      const std::size_t end = std::min(list.find(':', begin), list.size());
      if (end > begin) folders.emplace_back(list.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  std::vector<std::string> roots;
  for (const auto& [variable, below] : {std::pair{"VIRTUAL_ENV", ""}, {"CONDA_PREFIX", ""}, {"HOME", "/.local"}})
    if (const char* value = std::getenv(variable); value && *value) roots.push_back(std::string(value) + below);
  roots.insert(roots.end(), {"/opt/conda", "/usr/local", "/usr"});
  for (const std::string& root : roots)
    for (const char* packages : {"site-packages", "dist-packages"})
      add_matches(root + "/lib/python3*/" + packages + "/nvidia/*/lib", folders);
  return folders;
}

/// "libcudnn.so.9: cannot open shared object file: …" -> "libcudnn.so.9"
std::string missing_library(const std::string& error) {
  const std::size_t end = error.find(": cannot open shared object file");
  return end == std::string::npos ? "" : error.substr(0, end);
}

void* open(const std::string& file, int flags, std::string& error, const std::vector<path>& folders, int depth) {
  constexpr int most = 32;  // libraries a file may miss, and links of a chain of them
  for (int missed = 0;; ++missed) {
    if (void* library = dlopen(file.c_str(), flags)) return library;
    error = dlerror();
    const std::string name = missing_library(error);
    if (name.empty() || name.find('/') != std::string::npos || missed == most || depth == most) return nullptr;
    void* found = nullptr;
    std::error_code ignored;
    for (const path& folder : folders) {
      std::string why;  // the caller hears of what it asked for
      if (!found && std::filesystem::exists(folder / name, ignored))
        found = open(folder / name, RTLD_LAZY | RTLD_GLOBAL, why, folders, depth + 1);
    }
    if (!found || name == file) return found;
  }
}

}  // namespace

void* open_library(const std::string& file, int flags, std::string& error) {
  if (void* library = dlopen(file.c_str(), flags)) return library;
  return open(file, flags, error, folders_to_search(), 0);
}

}  // namespace sagcl::engine
