#include "datasets/formats/gzip.h"
#include "datasets/formats/nrrd.h"
#include "engine/error.h"

using namespace sagcl;

namespace {

/// A header with its data behind it, and with the part after the first empty line in another file.
void read(std::string_view bytes, const std::string& detached) {
  try {
    datasets::decode_nrrd(bytes, "fuzzed", [&](const std::string&) { return detached; });
  } catch (const engine::DataError&) {}
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t end = bytes.find("\n\n");
  const std::string_view voxels = end == std::string_view::npos ? std::string_view() : bytes.substr(end + 2);
  read(bytes, std::string(voxels));
  if (end != std::string_view::npos)
    read(std::string(bytes.substr(0, end + 2)) + datasets::gzip(voxels, 1), datasets::gzip(voxels, 1));
  return 0;
}
