#include "engine/devices/memory_limit.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "engine/error.h"

namespace sagcl::engine {

namespace fs = std::filesystem;

namespace {

/// The files that say it: the limit, and under which name `statistics` has what cannot be given back.
struct Version {
  const char* folder;
  const char* limit;
  const char* statistics;
  const char* used;
};
constexpr Version version_1 = {"memory", "memory.limit_in_bytes", "memory.stat", "total_rss"};
constexpr Version version_2 = {"", "memory.max", "memory.stat", "anon"};

std::size_t number_after(const fs::path& file, const std::string& wanted) {
  std::ifstream in(file);
  std::string name;
  for (std::size_t value; in >> name >> value;)
    if (name == wanted) return value;
  return 0;
}

void limit_by(MemorySource::Room& room, const fs::path& group, const Version& v) {
  std::ifstream in(group / v.limit);
  std::size_t limit = 0;
  if (!(in >> limit)) return;  // "max", or no such file
  const std::size_t used = number_after(group / v.statistics, v.used);
  room.total = std::min(room.total, limit);
  room.free = std::min(room.free, limit > used ? limit - used : 0);
}

}  // namespace

MemorySource::Room with_limits(MemorySource::Room room, const std::string& groups, const fs::path& root) {
  std::istringstream lines(groups);
  for (std::string line; std::getline(lines, line);) {  // NUMBER:CONTROLLERS:/PATH, version 2 has no controllers
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = fmt::format(",{},", line.substr(first + 1, second - first - 1));
    const bool second_version = controllers == ",,";
    if (!second_version && controllers.find(",memory,") == std::string::npos) continue;
    const Version& v = second_version ? version_2 : version_1;
    // In a container the path may be the host's, which is not to be seen: then only the last, the container's own, is there.
    for (fs::path path = fs::path(line.substr(second + 1)).relative_path();; path = path.parent_path()) {
      limit_by(room, root / v.folder / path, v);
      if (path.empty()) break;
    }
  }
  return room;
}

}  // namespace sagcl::engine
