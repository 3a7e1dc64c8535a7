#include <cstdlib>
#include <cstring>

#include "datasets/formats/gzip.h"
#include "datasets/formats/nifti.h"

using namespace sagcl;

namespace {

void require_equal(const datasets::Image& a, const datasets::Image& b) {
  if (a.voxels.shape() != b.voxels.shape() || a.geometry.affine != b.geometry.affine) std::abort();
  if (std::memcmp(a.voxels.bytes_begin(), b.voxels.bytes_begin(), a.voxels.bytes()) != 0) std::abort();
}

void read(std::string_view bytes) {
  try {
    const datasets::Image image = datasets::decode_nifti(bytes, "fuzzed");
    require_equal(datasets::decode_nifti(datasets::encode_nifti(image.voxels, image.geometry), "written"), image);
  } catch (const engine::DataError&) {}
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  read(bytes);
  if (size >= 348 && size % 2 == 0) read(datasets::gzip(bytes, 1));
  return 0;
}
