#pragma once
#include <cstddef>
#include <filesystem>

namespace sagcl::engine {

/// The content of a file as memory that the system reads when it is touched, and may forget again. What is written to it is
/// this process's alone. The file must not be made shorter meanwhile; to replace it is harmless.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& file);  ///< IoError with what the system reported
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  char* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  char* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace sagcl::engine
