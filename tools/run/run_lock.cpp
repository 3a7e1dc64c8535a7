#include "tools/run/run_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "engine/error.h"
#include "tools/programs/program.h"

namespace sagcl::tools {

namespace fs = std::filesystem;
using engine::IoError;
using engine::require;

namespace {

std::string who_am_i() {
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  return fmt::format("process {} on {}", ::getpid(), host);
}

/// Whether the path still leads to the file that is open: another process may have ended and taken it away.
bool same_file(int fd, const fs::path& path) {
  struct stat open, there;
  return ::fstat(fd, &open) == 0 && ::stat(path.c_str(), &there) == 0 && open.st_ino == there.st_ino &&
         open.st_dev == there.st_dev;
}

}  // namespace

RunLock::RunLock(const fs::path& folder) : file_(folder / "lock") {
  for (fs::path p = fs::absolute(folder).lexically_normal(); !fs::exists(p) && p.has_relative_path(); p = p.parent_path())
    made_.push_back(p);
  try {
    make_folder(folder);
    while (!take()) ::close(fd_);
  } catch (...) {
    leave();
    throw;
  }
}

/// False if the file that was locked has been removed meanwhile.
bool RunLock::take() {
  fd_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  require<IoError>(fd_ >= 0, "{}: cannot be opened: {}; check the folder's permissions", file_.string(),
                   std::strerror(errno));
  struct flock whole {};
  whole.l_type = F_WRLCK, whole.l_whence = SEEK_SET;
  if (::fcntl(fd_, F_SETLK, &whole) != 0) {
    if (errno == EACCES || errno == EAGAIN) refuse();
    say(fmt::format(
        "warning: {}: this file system has no locks ({}), so nothing keeps a second process out of the run: start none",
        file_.string(), std::strerror(errno)));
  } else if (!same_file(fd_, file_)) {
    return false;
  }
  const std::string me = who_am_i() + "\n";
  const bool written = ::ftruncate(fd_, 0) == 0 && ::pwrite(fd_, me.data(), me.size(), 0) == ssize_t(me.size());
  require<IoError>(written, "{}: writing failed: {}; free some space", file_.string(), std::strerror(errno));
  return true;
}

void RunLock::refuse() {
  char text[300] = "";
  const ssize_t n = ::pread(fd_, text, sizeof text - 1, 0);
  const std::string all(text, n > 0 ? std::size_t(n) : 0), who = all.substr(0, all.find('\n'));
  engine::fail<engine::InUse>(
      "{} is in use: {} trains in it and holds the lock {}. Wait for its end, or let it save and leave "
      "(kill -TERM there), or choose another folder. A process that is gone holds no lock",
      file_.parent_path().string(), who.empty() ? "another process" : who, file_.string());
}

void RunLock::leave() {
  if (fd_ >= 0) ::close(fd_);
  std::error_code not_empty;
  for (const fs::path& folder : made_)
    if (!fs::remove(folder, not_empty)) break;
}

RunLock::~RunLock() {
  ::unlink(file_.c_str());  // first: who locks it afterwards sees that it is gone
  leave();
}

}  // namespace sagcl::tools
