#include "engine/files/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "engine/error.h"

namespace sagcl::engine {

AtomicFile::AtomicFile(std::filesystem::path file) : file_(std::move(file)) {
  // The temporary name is short whatever the file's is, which may have all the bytes that a name can have.
  static std::atomic<unsigned> counter{0};
  do {
    temporary_ = file_.parent_path() / fmt::format(".tmp-{}-{}", ::getpid(), counter++);
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  } while (fd_ < 0 && errno == EEXIST);  // left by a process that was killed, or of another machine
  require<IoError>(fd_ >= 0, "{}: cannot be created: {}", file_.string(), std::strerror(errno));
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
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
  const bool renamed = ::rename(temporary_.c_str(), file_.c_str()) == 0;
  require<IoError>(renamed, "{}: rename failed: {}", file_.string(), std::strerror(errno));
  ::close(fd_);
  fd_ = -1;
  const std::filesystem::path folder = file_.has_parent_path() ? file_.parent_path() : std::filesystem::path(".");
  const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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
