#include "ops/cuda/cudnn/plan_file.h"

#include <unistd.h>

#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace sagcl::ops::cuda {

PlanFile::PlanFile(std::string path, std::string machine) : path_(std::move(path)), machine_(std::move(machine)) {
  std::ifstream in(path_);
  std::string line;
  if (path_.empty() || !std::getline(in, line) || line != machine_) return;
  while (std::getline(in, line))
    if (const std::size_t tab = line.find('\t'); tab != std::string::npos)
      engines_[line.substr(0, tab)] = line.substr(tab + 1);
}

std::string PlanFile::find(const std::string& key) const {
  std::lock_guard lock(mutex_);
  const auto found = engines_.find(key);
  return found == engines_.end() ? "" : found->second;
}

bool PlanFile::remember(const std::string& key, const std::string& engine) {
  std::lock_guard lock(mutex_);
  engines_[key] = engine;
  if (path_.empty()) return true;
  const std::string temporary = path_ + "." + std::to_string(getpid());
  {
    std::ofstream out(temporary);
    out << machine_ << '\n';
    for (const auto& [k, e] : engines_) out << k << '\t' << e << '\n';
    if (!out.flush()) return false;
  }
  std::error_code error;
  std::filesystem::rename(temporary, path_, error);
  return !error;
}

std::string default_plan_path(const std::string& machine) {
  if (const char* named = std::getenv("SAGCL_PLANS")) return std::string(named) == "off" ? "" : named;
  const char *cache = std::getenv("XDG_CACHE_HOME"), *home = std::getenv("HOME");
  if (!cache && !home) return "";
  const auto folder = (cache ? std::filesystem::path(cache) : std::filesystem::path(home) / ".cache") / "sagcl";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return "";
  std::string name = "plans-" + machine + ".txt";
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '-') c = '_';
  return (folder / name).string();
}

}  // namespace sagcl::ops::cuda
