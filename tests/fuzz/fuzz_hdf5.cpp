#include "datasets/formats/array_file.h"
#include "engine/error.h"

using namespace sagcl;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const char* dataset : {"image", "label"}) try {
      datasets::decode_hdf5(bytes, "fuzzed", dataset);
    } catch (const engine::DataError&) {}
  return 0;
}
