#include "datasets/formats/array_file.h"
#include "engine/error.h"

using namespace sagcl;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const datasets::Axes axes : {datasets::Axes::zyx, datasets::Axes::xyz}) try {
      datasets::image_of_array(datasets::decode_npy(bytes, "fuzzed"), axes, "fuzzed");
    } catch (const engine::DataError&) {}
  return 0;
}
