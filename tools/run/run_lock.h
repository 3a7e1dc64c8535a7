#pragma once
#include <filesystem>
#include <vector>

namespace sagcl::tools {

/// Keeps a second process out of a run folder as long as this one writes it. The file "lock" in the folder is locked by the
/// system (a POSIX record lock), so the lock ends with its process, also by SIGKILL, and children do not inherit it; what
/// the file says, process and machine, is for people. On NFS the server keeps the lock, for all machines; after the crash of
/// a machine it may take the server a minute or two to notice. Where the file system knows no locks (some mounts of Lustre),
/// a warning says so and nothing is locked. Programs that only read a run folder do not ask.
class RunLock {
 public:
  /// Makes the folder if needed. InUse names the process that has it; IoError if the folder or file cannot be made.
  explicit RunLock(const std::filesystem::path& folder);
  ~RunLock();  ///< removes the file, and folders that were made for it and are still empty
  RunLock(const RunLock&) = delete;

 private:
  bool take();
  [[noreturn]] void refuse();
  void leave();

  std::filesystem::path file_;
  std::vector<std::filesystem::path> made_;  ///< innermost first
  int fd_ = -1;
};

}  // namespace sagcl::tools
