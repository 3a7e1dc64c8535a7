#include "ops/cuda/cudnn/plan_file.h"

#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>

#include "engine/error.h"

namespace sagcl::ops::cuda {

PlanFile::PlanFile(std::string path, std::string machine) : path_(std::move(path)), machine_(std::move(machine)) {
  engines_ = read();
}

std::map<std::string, std::string> PlanFile::read() const {
  std::map<std::string, std::string> engines;
  std::ifstream in(path_);
  std::string line;
  if (path_.empty() || !std::getline(in, line) || line != machine_) return engines;
  while (std::getline(in, line))
    if (const std::size_t tab = line.find('\t'); tab != std::string::npos)
      engines[line.substr(0, tab)] = line.substr(tab + 1);
  return engines;
}

std::string PlanFile::find(const std::string& key) const {
  std::lock_guard lock(mutex_);
  const auto found = engines_.find(key);
  return found == engines_.end() ? "" : found->second;
}

std::string PlanFile::remember(const std::string& key, const std::string& engine, const std::vector<std::string>& usable) {
  std::lock_guard lock(mutex_);
  engines_[key] = engine;
  if (!path_.empty() && !write(key, usable))
    fmt::print(
        stderr,
        "sagcl: {} cannot be written, so the choice of convolution engines is lost; the next run will time them again\n",
        path_);
  return engines_[key];
}

/// Under the lock of a file beside it, since the file itself is replaced. What is there already wins over ours, unless it
/// names an engine for `key` that is not there any more.
bool PlanFile::write(const std::string& key, const std::vector<std::string>& usable) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> guard(std::fopen((path_ + ".lock").c_str(), "a"), std::fclose);
  if (!guard || ::flock(::fileno(guard.get()), LOCK_EX) != 0) return false;
  for (auto& [k, engine] : read())
    if (k != key || std::find(usable.begin(), usable.end(), engine) != usable.end()) engines_[k] = engine;
  const std::string temporary = fmt::format("{}.{}", path_, ::getpid());
  std::error_code error;
  {
    std::ofstream out(temporary);
    out << machine_ << '\n';
    for (const auto& [k, engine] : engines_) out << k << '\t' << engine << '\n';
    out.close();
    if (out) std::filesystem::rename(temporary, path_, error);
    if (out && !error) return true;
  }
  std::filesystem::remove(temporary, error);
  return false;
}

std::string PlanFile::settle(const std::string& key, const std::vector<std::string>& engines,
                             const std::function<Timing(std::size_t, float)>& time) {
  float shortest = std::numeric_limits<float>::infinity();
  std::string best;
  bool all_had_room = true;
  for (std::size_t i = 0; i < engines.size(); ++i) {
    const Timing took = time(i, shortest);
    all_had_room = all_had_room && took.outcome != Timing::no_room;
    if (took.outcome == Timing::ran && took.ms < shortest) shortest = took.ms, best = engines[i];
  }
  engine::require<engine::BackendError>(!best.empty(), "none of {} ways runs for {}{}", engines.size(), key,
                                        all_had_room ? "" : "; a smaller batch or patch needs less memory");
  if (all_had_room) return remember(key, best, engines);
  fmt::print(stderr, "sagcl: not every engine found room for {}; the next run will time them again\n", key);
  return best;
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
