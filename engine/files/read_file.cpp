#include "engine/files/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/error.h"

namespace sagcl::engine {
namespace {

/// A file descriptor that closes itself.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

std::string read_file(const std::filesystem::path& file, std::size_t limit) {
  Descriptor in{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
  require<MissingInput>(in.fd >= 0 || errno != ENOENT, "{}: there is no such file", file.string());
  require<IoError>(in.fd >= 0, "{}: cannot be opened: {}", file.string(), std::strerror(errno));
  struct stat info {};
  require<DataError>(::fstat(in.fd, &info) == 0 && S_ISREG(info.st_mode), "{}: is not a regular file", file.string());
  require<DataError>(std::size_t(info.st_size) <= limit, "{}: has {} bytes, more than the limit of {}", file.string(),
                     info.st_size, limit);
  std::string bytes(std::size_t(info.st_size), '\0');
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::read(in.fd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    require<IoError>(n > 0, "{}: reading failed after {} of {} bytes: {}", file.string(), done, bytes.size(),
                     n < 0 ? std::strerror(errno) : "file shrank");
    done += std::size_t(n);
  }
  return bytes;
}

}  // namespace sagcl::engine
