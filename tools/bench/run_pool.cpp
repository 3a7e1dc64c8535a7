#include "tools/bench/run_pool.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "engine/error.h"

extern char** environ;

namespace sagcl::tools {

RunPool::~RunPool() {
  stop();
  while (!children_.empty()) wait();
}

void RunPool::start(std::size_t id, const std::vector<std::string>& command, const std::filesystem::path& log) {
  std::vector<char*> argv;
  for (const std::string& a : command) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t child = 0;
  const int failed = posix_spawn(&child, command[0].c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  engine::require<engine::IoError>(failed == 0, "{}: cannot be started, or its output not be written to {}: {}", command[0],
                                   log.string(), std::strerror(failed));
  children_[child] = id;
}

std::optional<RunPool::Ended> RunPool::wait() {
  for (const auto& [child, id] : children_) {
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) != child) continue;
    const Ended ended{id, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)};
    children_.erase(child);
    return ended;
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  return std::nullopt;
}

void RunPool::stop() {
  for (const auto& [child, id] : children_) ::kill(child, SIGTERM);
}

std::vector<std::size_t> RunPool::running() const {
  std::vector<std::size_t> ids;
  for (const auto& [child, id] : children_) ids.push_back(id);
  return ids;
}

}  // namespace sagcl::tools
