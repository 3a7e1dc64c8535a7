#include "datasets/nifti.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "datasets/gzip.h"
#include "datasets/nifti_header.h"
#include "engine/safetensors.h"

namespace sagcl::datasets {

using engine::DataError;
using engine::Dtype;
using engine::require;
using engine::Shape;

namespace {

constexpr double largest_f32 = std::numeric_limits<float>::max();
constexpr std::size_t trailing_bytes = 65536;  // some writers pad; more is a sign of a wrong header

/// Converts `count` stored values from number `first` on to their places in f32 [D, H, W, C]. On disk the channel is the
/// slowest axis, in the tensor the fastest.
template <class Stored>
void convert(const char* source, std::int64_t first, std::int64_t count, const NiftiHeader& h, float* out) {
  const std::int64_t channels = h.shape[3], voxels = h.shape.size() / channels;
  const bool scaled = h.slope != 1 || h.intercept != 0;
  std::int64_t channel = first / voxels, voxel = first % voxels;
  for (std::int64_t i = 0; i < count; ++i, source += sizeof(Stored)) {
    char raw[sizeof(Stored)];
    std::memcpy(raw, source, sizeof raw);
    if (h.swapped) std::reverse(raw, raw + sizeof raw);
    Stored value;
    std::memcpy(&value, raw, sizeof raw);
    // Beyond f32's range a value becomes infinite (a cast would be undefined), and is refused where cases are loaded.
    const double wide = scaled ? double(value) * h.slope + h.intercept : double(value);
    out[voxel * channels + channel] = std::abs(wide) > largest_f32 ? std::copysign(INFINITY, float(wide > 0 ? 1 : -1))
                                                                   : float(wide);
    if (++voxel == voxels) voxel = 0, ++channel;
  }
}

void convert_any(const char* source, std::int64_t first, std::int64_t count, const NiftiHeader& h, float* out) {
  switch (h.datatype) {
    case 2:
      return convert<std::uint8_t>(source, first, count, h, out);
    case 4:
      return convert<std::int16_t>(source, first, count, h, out);
    case 8:
      return convert<std::int32_t>(source, first, count, h, out);
    case 16:
      return convert<float>(source, first, count, h, out);
    case 64:
      return convert<double>(source, first, count, h, out);
    case 256:
      return convert<std::int8_t>(source, first, count, h, out);
    case 512:
      return convert<std::uint16_t>(source, first, count, h, out);
    case 768:
      return convert<std::uint32_t>(source, first, count, h, out);
    case 1024:
      return convert<std::int64_t>(source, first, count, h, out);
    default:
      return convert<std::uint64_t>(source, first, count, h, out);
  }
}

Image decode_compressed(std::string_view bytes, const std::string& name) {
  Inflater in(bytes, Inflater::Kind::gzip, name);
  char head[NiftiHeader::bytes];
  in.read_exactly(head, sizeof head, "the NIfTI-1 header");
  NiftiHeader h = parse_nifti_header({head, sizeof head}, name);
  const std::size_t needed = h.voxel_offset + h.data_bytes();
  require<DataError>(needed / max_inflate_ratio <= bytes.size(),
                     "{}: the header declares {} voxels of {} bytes, more than a gzip file of {} bytes can hold", name,
                     h.shape, h.voxel_bytes, bytes.size());
  char skipped[4096];
  for (std::size_t left = h.voxel_offset - sizeof head; left > 0;) {
    const std::size_t n = std::min(left, sizeof skipped);
    in.read_exactly(skipped, n, "the part before the first voxel");
    left -= n;
  }
  // Piece by piece, so that memory is touched only for what the stream really holds.
  Tensor voxels = Tensor::empty(h.shape);
  char piece[8 * 4096];
  for (std::int64_t done = 0; done < voxels.size();) {
    const std::int64_t count = std::min<std::int64_t>(4096, voxels.size() - done);
    in.read_exactly(piece, std::size_t(count) * h.voxel_bytes, fmt::format("a volume of {}", h.shape));
    convert_any(piece, done, count, h, voxels.data<float>());
    done += count;
  }
  in.finish(trailing_bytes);
  return {std::move(voxels), std::move(h.geometry)};
}

}  // namespace

Image decode_nifti(std::string_view bytes, const std::string& name) {
  if (bytes.size() >= 2 && bytes[0] == '\x1f' && bytes[1] == '\x8b') return decode_compressed(bytes, name);
  NiftiHeader h = parse_nifti_header(bytes, name);
  const std::size_t needed = h.voxel_offset + h.data_bytes();
  require<DataError>(needed <= bytes.size(),
                     "{}: a volume of {} from byte {} needs {} bytes, the file has {}; copy or download it again", name,
                     h.shape, h.voxel_offset, needed, bytes.size());
  Tensor voxels = Tensor::empty(h.shape);
  convert_any(bytes.data() + h.voxel_offset, 0, voxels.size(), h, voxels.data<float>());
  return {std::move(voxels), std::move(h.geometry)};
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
  std::string bytes = build_nifti_header(shape, values.dtype() == Dtype::u8 ? 2 : 16, width, geometry);
  const bool swapped = nifti_is_swapped(bytes);
  bytes.resize(NiftiHeader::first_voxel + values.bytes(), '\0');
  const Tensor host = values.to(engine::Device::cpu());
  const char* from = static_cast<const char*>(host.bytes_begin());
  const std::size_t channels = std::size_t(shape[3]), voxels = std::size_t(shape.size()) / channels;
  char* out = bytes.data() + NiftiHeader::first_voxel;
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
