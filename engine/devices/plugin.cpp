#include "engine/devices/plugin.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

namespace sagcl::engine {

std::string find_plugin(const std::string& file, std::string& searched) {
  std::vector<std::filesystem::path> folders;
  if (const char* named = std::getenv("SAGCL_PLUGINS")) folders.emplace_back(named);
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) folders.insert(folders.end(), {program.parent_path(), program.parent_path().parent_path() / "lib"});
  for (const auto& folder : folders) {
    if (std::filesystem::exists(folder / file, error)) return (folder / file).string();
    searched += (searched.empty() ? "" : ", ") + folder.string();
  }
  return {};
}

void* plugin_entry(const std::string& file, const std::string& entry, int flags, std::string& why) {
  std::string searched;
  const std::string found = find_plugin(file, searched);
  void* library = found.empty() ? nullptr : dlopen(found.c_str(), flags);
  void* function = library ? dlsym(library, entry.c_str()) : nullptr;
  if (function) return function;
  why = found.empty() ? fmt::format("built without it, or {} was moved (looked in {})", file, searched)
        : library     ? found + " is not a plugin of this program"
                      : fmt::format("{} cannot be loaded: {}", found, dlerror());
  return nullptr;
}

}  // namespace sagcl::engine
