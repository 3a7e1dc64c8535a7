#include "datasets/formats/nifti.h"

#include <algorithm>
#include <cstring>

#include "datasets/formats/gzip.h"
#include "datasets/formats/nifti_header.h"
#include "engine/files/atomic_file.h"
#include "engine/files/read_file.h"

namespace sagcl::datasets {

using engine::DataError;
using engine::Dtype;
using engine::require;
using engine::Shape;

namespace {

constexpr std::size_t most_padding = 65536;  // some writers pad; more is a sign of a wrong header

Tensor read_voxels(const NiftiHeader& h, const std::function<void(char*, std::size_t)>& next) {
  return read_numbers(next, h.shape, h.type, ChannelPlace::slowest, h.scaling);
}

Image decode_compressed(std::string_view bytes, const std::string& name) {
  Inflater in(bytes, Inflater::Kind::gzip, name);
  char head[NiftiHeader::most_bytes];
  in.read_exactly(head, 4, "the NIfTI header");
  const std::size_t head_bytes = nifti_header_bytes({head, 4}, name);
  in.read_exactly(head + 4, head_bytes - 4, "the NIfTI header");
  NiftiHeader h = parse_nifti_header({head, head_bytes}, name);
  require_can_inflate(bytes.size(), h.voxel_offset + h.data_bytes, h.shape, name);
  char skipped[4096];
  for (std::size_t left = h.voxel_offset - head_bytes; left > 0;) {
    const std::size_t n = std::min(left, sizeof skipped);
    in.read_exactly(skipped, n, "the part before the first voxel");
    left -= n;
  }
  const std::string what = fmt::format("a volume of {}", h.shape);
  Tensor voxels = read_voxels(h, [&](char* to, std::size_t n) { in.read_exactly(to, n, what); });
  in.finish(most_padding);
  return {std::move(voxels), std::move(h.geometry), 255, std::move(h.remarks)};
}

}  // namespace

Image decode_nifti(std::string_view bytes, const std::string& name) {
  if (bytes.size() >= 2 && bytes[0] == '\x1f' && bytes[1] == '\x8b') return decode_compressed(bytes, name);
  NiftiHeader h = parse_nifti_header(bytes, name);
  const std::size_t needed = h.voxel_offset + h.data_bytes;
  require<DataError>(needed <= bytes.size(),
                     "{}: a volume of {} from byte {} needs {} bytes, the file has {}; copy or download it again", name,
                     h.shape, h.voxel_offset, needed, bytes.size());
  const char* from = bytes.data() + h.voxel_offset;
  Tensor voxels = read_voxels(h, [&](char* to, std::size_t n) { std::memcpy(to, from, n), from += n; });
  return {std::move(voxels), std::move(h.geometry), 255, std::move(h.remarks)};
}

Image read_nifti(const std::filesystem::path& file) { return decode_nifti(engine::read_file(file), file.string()); }

std::string encode_nifti(const Tensor& values, const Geometry& geometry) {
  const Shape& s = values.shape();
  require(s.rank() == 3 || (s.rank() == 4 && values.dtype() == Dtype::f32),
          "a NIfTI file takes [D, H, W] or f32 [D, H, W, C], got {} {}", values.dtype(), s);
  require<engine::DtypeError>(values.dtype() == Dtype::u8 || values.dtype() == Dtype::f32,
                              "a NIfTI file is written from u8 or f32, got {}", values.dtype());
  const Shape shape{s[0], s[1], s[2], s.rank() == 4 ? s[3] : 1};
  const std::size_t width = engine::bytes_of(values.dtype());
  bool swapped = false;
  std::string bytes = build_nifti_header(shape, values.dtype(), geometry, swapped);
  const std::size_t first_voxel = bytes.size() + 4;  // four bytes announce that no extension follows
  bytes.resize(first_voxel + values.bytes(), '\0');
  const Tensor host = values.to(engine::Device::cpu());
  const char* from = static_cast<const char*>(host.bytes_begin());
  const std::size_t channels = std::size_t(shape[3]), voxels = std::size_t(shape.size()) / channels;
  char* out = bytes.data() + first_voxel;
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t v = 0; v < voxels; ++v, out += width) {
      std::memcpy(out, from + (v * channels + c) * width, width);
      if (swapped) std::reverse(out, out + width);
    }
  return bytes;
}

void write_nifti(const std::filesystem::path& file, const Tensor& values, const Geometry& geometry) {
  const std::string bytes = encode_nifti(values, geometry);
  engine::write_file_atomically(file, file.extension() == ".gz" ? gzip(bytes) : bytes);
}

}  // namespace sagcl::datasets
