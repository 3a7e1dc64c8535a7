#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

namespace sagcl::engine {

/// A file that appears under its name whole or not at all. What is written goes to a file without a name in the same folder;
/// commit() makes it durable and puts it in place of a file that was there. Without commit() nothing is left behind, also
/// where the process is killed; only where the file system knows no files without a name (NFS) may a temporary one stay.
/// All throw IoError that names the file and what the system reported.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path file);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;

  void write(const void* data, std::size_t bytes);                           ///< behind what was written last
  void write_at(std::uint64_t offset, const void* data, std::size_t bytes);  ///< bytes never written are 0
  void commit();

 private:
  bool place() const;

  std::filesystem::path file_;
  std::filesystem::path temporary_;  ///< empty: the file has no name
  int fd_ = -1;
  std::uint64_t end_ = 0;
};

/// Replaces `file` by `bytes`, or on failure leaves it as it was.
void write_file_atomically(const std::filesystem::path& file, const std::string& bytes);

/// Whether the name is one of those temporary files: what a process leaves that is killed meanwhile.
bool is_temporary(const std::filesystem::path& file);

}  // namespace sagcl::engine
