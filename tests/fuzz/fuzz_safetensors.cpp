#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

#include "engine/files/safetensors.h"

using namespace sagcl;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const int fd = ::memfd_create("fuzzed", 0);  // the reader takes a file; this one lives in memory
  if (fd < 0 || ::write(fd, data, size) != ssize_t(size)) std::abort();
  try {
    engine::read_safetensors("/proc/self/fd/" + std::to_string(fd));
  } catch (const engine::DataError&) {}
  ::close(fd);
  return 0;
}
