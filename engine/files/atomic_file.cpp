#include "engine/files/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "engine/error.h"
#include "engine/hash.h"

namespace sagcl::engine {

namespace {

/// The kernel takes a file that has no name with the process that made it. -1 where it cannot be had, or not be given a name
/// later, for which /proc is needed.
int open_nameless(const std::filesystem::path& folder) {
  return ::access("/proc/self/fd", X_OK) == 0 ? ::open(folder.c_str(), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0644) : -1;
}

bool give_name(int fd, const std::filesystem::path& name) {
  return ::linkat(AT_FDCWD, fmt::format("/proc/self/fd/{}", fd).c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0;
}

std::filesystem::path folder_of(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path file) : file_(std::move(file)), fd_(open_nameless(folder_of(file_))) {
  // The temporary name is short whatever the file's is, which may have all the bytes that a name can have.
  static std::atomic<unsigned> counter{0};
  while (fd_ < 0) {
    temporary_ = file_.parent_path() / fmt::format(".tmp-{}-{}", ::getpid(), counter++);
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd_ < 0 && errno != EEXIST) break;  // EEXIST: left by a process that was killed, or of another machine
  }
  require<IoError>(fd_ >= 0, "{}: cannot be created: {}", file_.string(), std::strerror(errno));
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

/// Gives the whole file its name. To replace one that is there a second name is needed for a moment; what is found under
/// that, of a process that was killed in this moment or of one that is placing the same file, is whole, too, and goes first.
bool AtomicFile::place() const {
  if (!temporary_.empty()) return ::rename(temporary_.c_str(), file_.c_str()) == 0;
  const std::string name = file_.filename().string();
  const std::filesystem::path second = file_.parent_path() / fmt::format(".tmp-0-{}", hash(name));
  while (!give_name(fd_, file_)) {
    if (errno != EEXIST) return false;
    const bool mine = give_name(fd_, second);
    if (!mine && errno != EEXIST) return false;
    const bool placed = ::rename(second.c_str(), file_.c_str()) == 0 || errno == ENOENT;  // ENOENT: another did it
    if (placed && mine) return true;
    if (!placed) {
      const int why = errno;
      if (mine) ::unlink(second.c_str());
      errno = why;
      return false;
    }
  }
  return true;
}

void AtomicFile::write(const void* data, std::size_t bytes) { write_at(end_, data, bytes); }

void AtomicFile::write_at(std::uint64_t offset, const void* data, std::size_t bytes) {
  const char* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t n = ::pwrite(fd_, from, std::min<std::size_t>(bytes, std::size_t(1) << 30), off_t(offset));
    if (n < 0 && errno == EINTR) continue;
    require<IoError>(n > 0, "{}: writing failed: {}; free some space or choose another folder", file_.string(),
                     std::strerror(errno));
    from += n, offset += std::uint64_t(n), bytes -= std::size_t(n);
  }
  end_ = offset;
}

void AtomicFile::commit() {
  const bool durable = ::fsync(fd_) == 0;
  require<IoError>(durable, "{}: fsync failed: {}", file_.string(), std::strerror(errno));
  const bool placed = place();
  require<IoError>(placed, "{}: rename failed: {}", file_.string(), std::strerror(errno));
  ::close(fd_);
  fd_ = -1;
  const int directory = ::open(folder_of(file_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return;
  ::fsync(directory);
  ::close(directory);
}

void write_file_atomically(const std::filesystem::path& file, const std::string& bytes) {
  AtomicFile out(file);
  out.write(bytes.data(), bytes.size());
  out.commit();
}

bool is_temporary(const std::filesystem::path& file) {
  const std::string name = file.filename().string(), mark = ".tmp-";  // then numbers alone
  const std::size_t at = name.rfind(mark), numbers = at + mark.size();
  return at != std::string::npos && numbers < name.size() &&
         name.find_first_not_of("0123456789-", numbers) == std::string::npos;
}

}  // namespace sagcl::engine
