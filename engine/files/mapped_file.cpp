#include "engine/files/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/error.h"

namespace sagcl::engine {

MappedFile::MappedFile(const std::filesystem::path& file) {
  const auto refuse = [&](const char* what) { fail<IoError>("{}: {}: {}", file.string(), what, std::strerror(errno)); };
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) refuse("cannot be opened");
  struct stat status = {};
  void* memory = nullptr;
  const bool known = ::fstat(fd, &status) == 0;
  if (known && status.st_size > 0)
    memory = ::mmap(nullptr, std::size_t(status.st_size), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
  const int reason = errno;
  ::close(fd);
  errno = reason;
  if (!known || memory == MAP_FAILED) refuse("cannot be mapped");
  data_ = static_cast<char*>(memory), bytes_ = std::size_t(status.st_size);
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(data_, bytes_);
}

}  // namespace sagcl::engine
