#pragma once
#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sagcl::tools {

/// Programs that run side by side.
class RunPool {
 public:
  RunPool() = default;
  RunPool(const RunPool&) = delete;
  ~RunPool();  ///< stops what still runs, and waits for it

  /// Starts command[0] with the others as arguments; what it prints and says goes into `log`, anew. IoError if it cannot be
  /// started.
  void start(std::size_t id, const std::vector<std::string>& command, const std::filesystem::path& log);

  /// One that ended, with its exit code (128 + signal if one ended it); nothing if none has, after a tenth of a second.
  struct Ended {
    std::size_t id;
    int code;
  };
  std::optional<Ended> wait();

  /// SIGTERM to all: they save and leave. Not SIGINT, of which a terminal's Ctrl-C may have sent them one already: a second
  /// would end them without saving.
  void stop();

  std::vector<std::size_t> running() const;

 private:
  std::map<pid_t, std::size_t> children_;
};

}  // namespace sagcl::tools
