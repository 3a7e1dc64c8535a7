#include "datasets/nifti_header.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace sagcl::datasets {

using engine::DataError;
using engine::fail;
using engine::require;
using engine::Shape;

namespace {

// Byte positions of the fields, from nifti1.h.
constexpr std::size_t at_size = 0, at_dim = 40, at_intent = 56, at_datatype = 70, at_bitpix = 72, at_pixdim = 76,
                      at_offset = 108, at_slope = 112, at_intercept = 116, at_units = 123, at_display = 124, at_qform = 252,
                      at_sform = 254, at_quatern = 256, at_srow = 280, at_intent_name = 328, at_magic = 344;

template <class T> T swap_bytes(T value) {
  char* p = reinterpret_cast<char*>(&value);
  std::reverse(p, p + sizeof(T));
  return value;
}

/// Reads and writes numbers at a position, in the header's byte order.
struct Fields {
  char* p;
  bool swapped;
  template <class T> T get(std::size_t at) const {
    T value;
    std::memcpy(&value, p + at, sizeof(T));
    return swapped ? swap_bytes(value) : value;
  }
  template <class T> void set(std::size_t at, T value) {
    if (swapped) value = swap_bytes(value);
    std::memcpy(p + at, &value, sizeof(T));
  }
  double real(std::size_t at, const char* what, const std::string& name) const {
    const float value = get<float>(at);
    require<DataError>(std::isfinite(value),
                       "{}: the header's {} is {}; repair it with nifti_tool -mod_hdr or convert the file again", name, what,
                       value);
    return double(value);
  }
};

struct VoxelType {
  int code;
  std::size_t bytes;
  const char* name;
};
constexpr VoxelType voxel_types[] = {{2, 1, "uint8"},    {4, 2, "int16"},    {8, 4, "int32"},    {16, 4, "float32"},
                                     {64, 8, "float64"}, {256, 1, "int8"},   {512, 2, "uint16"}, {768, 4, "uint32"},
                                     {1024, 8, "int64"}, {1280, 8, "uint64"}};

std::size_t bytes_of_type(int code, int bitpix, const std::string& name) {
  for (const VoxelType& t : voxel_types) {
    if (t.code != code) continue;
    require<DataError>(bitpix == int(t.bytes) * 8,
                       "{}: voxel type {} has {} bits, the header says {}; convert the file again", name, t.name,
                       t.bytes * 8, bitpix);
    return t.bytes;
  }
  fail<DataError>(
      "{}: voxel type {} is not supported (only integers and real numbers of 8 to 64 bits are); convert the file to float32",
      name, code);
}

Shape read_shape(const Fields& f, const std::string& name) {
  const int rank = f.get<std::int16_t>(at_dim);
  require<DataError>(rank >= 2 && rank <= 7, "{}: the header says {} dimensions, 2 to 7 are possible; the file is damaged",
                     name, rank);
  std::int64_t extent[8] = {1, 1, 1, 1, 1, 1, 1, 1};
  for (int a = 1; a <= rank; ++a) {
    extent[a] = f.get<std::int16_t>(at_dim + 2 * std::size_t(a));
    require<DataError>(extent[a] >= 1, "{}: dimension {} of the header is {}, it must be at least 1; the file is damaged",
                       name, a, extent[a]);
    require<DataError>(a <= 4 || extent[a] == 1,
                       "{}: dimension {} is {}; only x, y, z and one axis of channels are read, split the file", name, a,
                       extent[a]);
  }
  return {extent[3], extent[2], extent[1], extent[4]};
}

/// Method 2 of nifti1.h: rotation from a quaternion, voxel sizes, offset.
void affine_of_qform(const Fields& f, const std::string& name, const double size[3], std::array<double, 16>& m) {
  const double b = f.real(at_quatern, "quatern_b", name), c = f.real(at_quatern + 4, "quatern_c", name),
               d = f.real(at_quatern + 8, "quatern_d", name);
  const double rest = 1 - (b * b + c * c + d * d);
  require<DataError>(rest > -1e-3, "{}: the qform's quaternion ({}, {}, {}) is longer than 1; repair it with nifti_tool",
                     name, b, c, d);
  const double a = std::sqrt(std::max(rest, 0.0)), n = 1 / std::sqrt(a * a + b * b + c * c + d * d);
  const double q[4] = {a * n, b * n, c * n, d * n};
  const double mirror = f.get<float>(at_pixdim) < 0 ? -1 : 1;  // qfac
  const double r[3][3] = {{q[0] * q[0] + q[1] * q[1] - q[2] * q[2] - q[3] * q[3], 2 * (q[1] * q[2] - q[0] * q[3]),
                           2 * (q[1] * q[3] + q[0] * q[2])},
                          {2 * (q[1] * q[2] + q[0] * q[3]), q[0] * q[0] + q[2] * q[2] - q[1] * q[1] - q[3] * q[3],
                           2 * (q[2] * q[3] - q[0] * q[1])},
                          {2 * (q[1] * q[3] - q[0] * q[2]), 2 * (q[2] * q[3] + q[0] * q[1]),
                           q[0] * q[0] + q[3] * q[3] - q[2] * q[2] - q[1] * q[1]}};
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) m[std::size_t(4 * i + j)] = r[i][j] * size[j] * (j == 2 ? mirror : 1);
    m[std::size_t(4 * i + 3)] = f.real(at_quatern + 12 + 4 * std::size_t(i), "qoffset", name);
  }
}

Geometry read_geometry(const Fields& f, int rank, const std::string& name) {
  Geometry g;
  g.nifti_header.assign(f.p, NiftiHeader::bytes);
  double size[3] = {1, 1, 1};
  for (int a = 0; a < std::min(rank, 3); ++a) {
    size[a] = std::abs(f.real(at_pixdim + 4 + 4 * std::size_t(a), "voxel size (pixdim)", name));
    require<DataError>(
        size[a] > 0, "{}: voxel size {} of the header is 0; set it with nifti_tool -mod_hdr -mod_field pixdim", name, a + 1);
  }
  const int unit = f.get<std::uint8_t>(at_units) & 7;
  const double millimetres = unit == 1 ? 1000 : unit == 3 ? 0.001 : 1;  // metres, micrometres; 0 means not said
  g.spacing = {size[2] * millimetres, size[1] * millimetres, size[0] * millimetres};
  if (f.get<std::int16_t>(at_sform) > 0) {
    for (std::size_t i = 0; i < 12; ++i) g.affine[i] = f.real(at_srow + 4 * i, "sform (srow)", name);
  } else if (f.get<std::int16_t>(at_qform) > 0) {
    affine_of_qform(f, name, size, g.affine);
  } else {
    for (std::size_t i = 0; i < 3; ++i) g.affine[5 * i] = size[i];
  }
  for (std::size_t i = 0; i < 12; ++i) g.affine[i] *= millimetres;
  return g;
}

std::string fresh_header(const Geometry& g) {
  std::string bytes(NiftiHeader::bytes, '\0');
  Fields f{bytes.data(), false};
  f.set<std::int32_t>(at_size, std::int32_t(NiftiHeader::bytes));
  f.set<float>(at_pixdim, 1);
  for (std::size_t a = 0; a < 3; ++a) f.set<float>(at_pixdim + 4 + 4 * a, float(g.spacing[2 - a]));
  f.set<std::uint8_t>(at_units, 2);  // millimetres
  f.set<std::int16_t>(at_sform, 1);  // "scanner"
  for (std::size_t i = 0; i < 12; ++i) f.set<float>(at_srow + 4 * i, float(g.affine[i]));
  return bytes;
}

}  // namespace

bool nifti_is_swapped(std::string_view header) {
  std::int32_t size;
  std::memcpy(&size, header.data(), 4);
  return swap_bytes(size) == std::int32_t(NiftiHeader::bytes);
}

NiftiHeader parse_nifti_header(std::string_view bytes, const std::string& name) {
  require<DataError>(bytes.size() >= NiftiHeader::bytes,
                     "{}: has {} bytes, a NIfTI-1 header needs {}; copy or download the file again", name, bytes.size(),
                     NiftiHeader::bytes);
  std::string copy(bytes.substr(0, NiftiHeader::bytes));
  NiftiHeader h;
  h.swapped = nifti_is_swapped(copy);
  const Fields f{copy.data(), h.swapped};
  const std::int32_t size = f.get<std::int32_t>(at_size);
  require<DataError>(size != 540 && swap_bytes(size) != 540,
                     "{}: is a NIfTI-2 file; convert it with nifti_tool -convert2nifti1", name);
  require<DataError>(size == std::int32_t(NiftiHeader::bytes),
                     "{}: is not a NIfTI-1 file (its header says {} bytes, not 348)", name, size);
  const std::string_view magic(copy.data() + at_magic, 4);
  require<DataError>(magic != std::string_view("ni1\0", 4),
                     "{}: is the header of a .hdr/.img pair; convert the pair to one .nii file", name);
  require<DataError>(magic == std::string_view("n+1\0", 4),
                     "{}: lacks the NIfTI-1 mark 'n+1'; if it is an Analyze file, convert it to .nii", name);

  h.shape = read_shape(f, name);
  h.datatype = f.get<std::int16_t>(at_datatype);
  h.voxel_bytes = bytes_of_type(h.datatype, f.get<std::int16_t>(at_bitpix), name);
  std::int64_t total = 0;
  const bool fits = !__builtin_mul_overflow(h.shape.size(), std::int64_t(h.voxel_bytes), &total) &&
                    total < (std::int64_t(1) << 40);
  require<DataError>(fits, "{}: the header declares {} voxels of {} bytes; the file is damaged", name, h.shape,
                     h.voxel_bytes);

  const double offset = f.real(at_offset, "vox_offset", name);
  require<DataError>(
      offset >= double(NiftiHeader::first_voxel) && offset <= 1e9 && offset == std::floor(offset),
      "{}: the header places the first voxel at byte {}, it must be a whole number from 352; repair it with nifti_tool",
      name, offset);
  h.voxel_offset = std::size_t(offset);

  const float slope = f.get<float>(at_slope);
  if (!std::isnan(slope) && slope != 0) {
    h.slope = f.real(at_slope, "scl_slope", name);
    h.intercept = f.real(at_intercept, "scl_inter", name);
  }
  h.geometry = read_geometry(f, f.get<std::int16_t>(at_dim), name);
  return h;
}

std::string build_nifti_header(const Shape& shape, int datatype, std::size_t voxel_bytes, const Geometry& geometry) {
  require(shape.rank() == 4, "a NIfTI volume is [D, H, W, C], got {}", shape);
  for (std::int64_t extent : shape) require(extent >= 1 && extent <= 32767, "a NIfTI extent is 1 to 32767, got {}", shape);
  const bool given = !geometry.nifti_header.empty();
  std::string bytes = given ? geometry.nifti_header : fresh_header(geometry);
  require(bytes.size() == NiftiHeader::bytes, "the source header has {} bytes, a NIfTI-1 header has {}", bytes.size(),
          NiftiHeader::bytes);
  Fields f{bytes.data(), nifti_is_swapped(bytes)};
  const int source_rank = f.get<std::int16_t>(at_dim);
  if (given) {
    for (int a = 0; a < 3; ++a) {
      const std::int64_t source = a < source_rank ? f.get<std::int16_t>(at_dim + 2 + 2 * std::size_t(a)) : 1;
      require(source == shape[2 - a], "the volume {} does not have the extents of its source, axis {} has {}", shape,
              "xyz"[a], source);
    }
  }
  const int rank = shape[3] > 1 ? 4 : given && source_rank == 2 ? 2 : 3;
  f.set<std::int16_t>(at_dim, std::int16_t(rank));
  for (std::size_t a = 1; a <= 7; ++a)
    f.set<std::int16_t>(at_dim + 2 * a, a <= 3 ? std::int16_t(shape[int(3 - a)]) : a == 4 ? std::int16_t(shape[3]) : 1);
  f.set<std::int16_t>(at_datatype, std::int16_t(datatype));
  f.set<std::int16_t>(at_bitpix, std::int16_t(8 * voxel_bytes));
  f.set<float>(at_offset, float(NiftiHeader::first_voxel));
  f.set<float>(at_slope, 1), f.set<float>(at_intercept, 0);
  f.set<float>(at_display, 0), f.set<float>(at_display + 4, 0);
  std::memset(f.p + at_intent, 0, 14);  // three parameters and the code
  std::memset(f.p + at_intent_name, 0, 16);
  std::memcpy(f.p + at_magic, "n+1\0", 4);
  return bytes;
}

}  // namespace sagcl::datasets
