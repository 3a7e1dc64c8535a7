#include "datasets/formats/nifti_header.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "datasets/affine.h"
#include "datasets/formats/nifti_fields.h"

namespace sagcl::datasets {

using engine::DataError;
using engine::fail;
using engine::require;
using engine::Shape;

namespace {

struct VoxelType {
  int code;
  NumberType::Kind kind;
  std::size_t bytes;
  const char* name;
};
using Kind = NumberType::Kind;
constexpr VoxelType voxel_types[] = {{2, Kind::natural, 1, "uint8"},    {4, Kind::integer, 2, "int16"},
                                     {8, Kind::integer, 4, "int32"},    {16, Kind::real, 4, "float32"},
                                     {64, Kind::real, 8, "float64"},    {256, Kind::integer, 1, "int8"},
                                     {512, Kind::natural, 2, "uint16"}, {768, Kind::natural, 4, "uint32"},
                                     {1024, Kind::integer, 8, "int64"}, {1280, Kind::natural, 8, "uint64"}};

NumberType type_of(const NiftiFields& f, const std::string& name) {
  const std::int64_t code = f.whole(f.version().datatype), bits = f.whole(f.version().bitpix);
  for (const VoxelType& t : voxel_types) {
    if (t.code != code) continue;
    require<DataError>(bits == std::int64_t(t.bytes) * 8,
                       "{}: voxel type {} has {} bits, the header says {}; convert the file again", name, t.name,
                       t.bytes * 8, bits);
    return {t.kind, t.bytes, f.swapped()};
  }
  fail<DataError>(
      "{}: voxel type {} is not supported (only integers and real numbers of 8 to 64 bits are); convert the file to float32",
      name, code);
}

Shape read_shape(const NiftiFields& f, const std::string& name) {
  const std::int64_t rank = f.whole(f.version().dim);
  require<DataError>(rank >= 2 && rank <= 7, "{}: the header says {} dimensions, 2 to 7 are possible; the file is damaged",
                     name, rank);
  std::int64_t extent[8] = {1, 1, 1, 1, 1, 1, 1, 1};
  for (std::size_t a = 1; a <= std::size_t(rank); ++a) {
    extent[a] = f.whole(f.version().dim, a);
    require<DataError>(extent[a] >= 1, "{}: dimension {} of the header is {}, it must be at least 1; the file is damaged",
                       name, a, extent[a]);
    require<DataError>(a <= 4 || extent[a] == 1,
                       "{}: dimension {} is {}; only x, y, z and one axis of channels are read, split the file", name, a,
                       extent[a]);
  }
  return {extent[3], extent[2], extent[1], extent[4]};
}

constexpr Affine identity = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};

/// Voxel sizes along x, y, z as pixdim gives them; an axis of one voxel may have none.
std::array<double, 3> read_sizes(const NiftiFields& f, const std::string& name) {
  const NiftiVersion& v = f.version();
  std::array<double, 3> size = {1, 1, 1};
  const std::size_t rank = std::size_t(std::min<std::int64_t>(f.whole(v.dim), 3));
  for (std::size_t a = 0; a < rank; ++a) {
    const double stored = std::abs(f.finite(v.pixdim, a + 1, "voxel size (pixdim)", name));
    require<DataError>(stored > 0 || f.whole(v.dim, a + 1) == 1,
                       "{}: voxel size {} of the header is 0; set it with nifti_tool -mod_hdr -mod_field pixdim", name,
                       a + 1);
    if (stored > 0) size[a] = stored;
  }
  return size;
}

/// Method 2 of nifti1.h: rotation from a quaternion, voxel sizes, offset.
Affine read_qform(const NiftiFields& f, const std::string& name, const std::array<double, 3>& size) {
  const NiftiVersion& v = f.version();
  const double b = f.finite(v.quatern, 0, "quatern_b", name), c = f.finite(v.quatern, 1, "quatern_c", name),
               d = f.finite(v.quatern, 2, "quatern_d", name);
  const double rest = 1 - (b * b + c * c + d * d);
  require<DataError>(rest > -1e-3, "{}: the qform's quaternion ({}, {}, {}) is longer than 1; repair it with nifti_tool",
                     name, b, c, d);
  const double a = rest < 1e-7 ? 0 : std::sqrt(rest);  // a half turn: what is left is rounding, as niftilib takes it
  const double n = 1 / std::sqrt(a * a + b * b + c * c + d * d);
  const double q[4] = {a * n, b * n, c * n, d * n};
  const double mirror = f.number(v.pixdim) < 0 ? -1 : 1;  // qfac
  const double r[3][3] = {{q[0] * q[0] + q[1] * q[1] - q[2] * q[2] - q[3] * q[3], 2 * (q[1] * q[2] - q[0] * q[3]),
                           2 * (q[1] * q[3] + q[0] * q[2])},
                          {2 * (q[1] * q[2] + q[0] * q[3]), q[0] * q[0] + q[2] * q[2] - q[1] * q[1] - q[3] * q[3],
                           2 * (q[2] * q[3] - q[0] * q[1])},
                          {2 * (q[1] * q[3] - q[0] * q[2]), 2 * (q[2] * q[3] + q[0] * q[1]),
                           q[0] * q[0] + q[3] * q[3] - q[2] * q[2] - q[1] * q[1]}};
  Affine m = identity;
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) m[4 * i + j] = r[i][j] * size[j] * (j == 2 ? mirror : 1);
    m[4 * i + 3] = f.finite(v.quatern, 3 + i, "qoffset", name);
  }
  return m;
}

/// Method 3: the matrix as it is. The axis of a plane, whose length some writers leave at 0, becomes its normal.
Affine read_sform(const NiftiFields& f, const std::string& name, const Shape& shape) {
  Affine m = identity;
  for (std::size_t i = 0; i < 12; ++i) m[i] = f.finite(f.version().srow, i, "sform (srow)", name);
  if (shape[0] == 1 && m[2] == 0 && m[6] == 0 && m[10] == 0) {
    const double n[3] = {m[4] * m[9] - m[8] * m[5], m[8] * m[1] - m[0] * m[9], m[0] * m[5] - m[4] * m[1]};
    const double length = std::hypot(n[0], n[1], n[2]);
    for (std::size_t i = 0; i < 3 && length > 0; ++i) m[4 * i + 2] = n[i] / length;
  }
  return m;
}

/// The sform if it has a code and spans a volume, else the qform if it has one; without either nothing is placed, and the
/// voxel sizes alone count (method 1). Where the header contradicts itself, `remarks` says so.
Geometry read_geometry(const NiftiFields& f, std::string_view bytes, const Shape& shape, const std::string& name,
                       Remarks& remarks) {
  const NiftiVersion& v = f.version();
  Geometry g;
  g.measured = true;
  g.nifti_header = bytes.substr(0, v.bytes);
  const std::array<double, 3> size = read_sizes(f, name);
  const std::int64_t sform = f.whole(v.sform), qform = f.whole(v.qform), unit = f.whole(v.units) & 7;
  std::optional<Affine> by_sform, by_qform;
  if (sform > 0) by_sform = read_sform(f, name, shape);
  if (by_sform && !spans_volume(*by_sform)) {
    require<DataError>(
        qform > 0,
        "{}: the header's affine (sform) lays all voxels onto a plane or a point, and there is no qform; copy the "
        "geometry of the original, or set sform_code to 0 with nifti_tool -mod_hdr -mod_field sform_code 0",
        name);
    remarks.push_back(
        "the header's affine (sform) lays all voxels onto a plane or a point, so its qform is taken; repair it with "
        "nifti_tool -mod_hdr -mod_field sform_code 0");
    by_sform.reset();
  }
  if (qform > 0) try {
      by_qform = read_qform(f, name, size);
    } catch (const DataError& e) {
      if (!by_sform) throw;
      remarks.push_back(fmt::format("the sform is taken, the qform cannot be: {}", e.what()));
    }
  g.placed = by_sform || by_qform;
  // A header without a unit, a place, or a size other than 1 says nothing of the size: so are arrays and pictures written.
  g.measured = unit != 0 || g.placed || size != std::array<double, 3>{1, 1, 1};
  for (std::size_t i = 0; i < 3; ++i) g.affine[5 * i] = size[i];
  if (g.placed) g.affine = by_sform ? *by_sform : *by_qform;
  if (by_sform && by_qform &&
      corner_distance(*by_sform, *by_qform, shape) > 0.5 * *std::min_element(size.begin(), size.end())) {
    g.other = by_qform;
    remarks.push_back(
        fmt::format("the header gives two places that are {:.3g} mm apart, by its sform (code {}) and its qform "
                    "(code {}); the sform is taken, programs built on ITK may take the qform: make them equal",
                    corner_distance(*by_sform, *by_qform, shape), sform, qform));
  }
  const double millimetres = unit == 1 ? 1000 : unit == 3 ? 0.001 : 1;  // metres, micrometres; 0 means not said
  for (Affine* m : {&g.affine, g.other ? &*g.other : nullptr})
    for (std::size_t i = 0; m && i < 12; ++i) (*m)[i] *= millimetres;
  const auto by_affine = spacing_of(g.affine);
  for (std::size_t a = 0; a < 3; ++a) {
    const double stored = size[2 - a] * millimetres, difference = std::abs(by_affine[a] - stored);
    g.spacing[a] = difference <= 1e-4 * stored || shape[int(a)] == 1 ? stored : by_affine[a];
    if (difference > 0.01 * by_affine[a] && shape[int(a)] > 1)
      remarks.push_back(
          fmt::format("voxels are {:.4g} mm along {} by the header's pixdim, {:.4g} mm by its affine, which is "
                      "taken; correct the header with nifti_tool -mod_hdr -mod_field pixdim",
                      stored, "zyx"[a], by_affine[a]));
  }
  return g;
}

/// A NIfTI-1 header that says how large voxels are, where they lie if that is known, and nothing else.
std::string fresh_header(const Geometry& g) {
  std::string bytes(nifti_1.bytes, '\0');
  NiftiFields f(bytes.data(), nifti_1, false);
  f.set(nifti_1.size, 0, double(nifti_1.bytes));
  f.set(nifti_1.pixdim, 0, 1);
  for (std::size_t a = 0; a < 3; ++a) f.set(nifti_1.pixdim, a + 1, g.spacing[2 - a]);
  f.set(nifti_1.units, 0, g.measured ? 2 : 0);  // millimetres, or not said
  if (!g.placed) return bytes;
  f.set(nifti_1.sform, 0, 1);  // "scanner"
  for (std::size_t i = 0; i < 12; ++i) f.set(nifti_1.srow, i, g.affine[i]);
  if (shear_of(g.affine) < 1e-6) {
    const Quaternion q = quaternion_of(g.affine);
    f.set(nifti_1.qform, 0, 1);
    f.set(nifti_1.pixdim, 0, q.mirrored ? -1 : 1);
    for (std::size_t i = 0; i < 3; ++i)
      f.set(nifti_1.quatern, i, q.bcd[i]), f.set(nifti_1.quatern, 3 + i, g.affine[4 * i + 3]);
  }
  return bytes;
}

}  // namespace

std::size_t nifti_header_bytes(std::string_view first_four, const std::string& name) {
  bool swapped = false;
  const NiftiVersion* version = nifti_version(first_four, swapped);
  require<DataError>(version, "{}: is not a NIfTI file (its first number is neither 348 nor 540); convert it to .nii", name);
  return version->bytes;
}

NiftiHeader parse_nifti_header(std::string_view bytes, const std::string& name) {
  const std::size_t needed = nifti_header_bytes(bytes, name);
  require<DataError>(bytes.size() >= needed, "{}: has {} bytes, its NIfTI header needs {}; copy or download the file again",
                     name, bytes.size(), needed);
  std::string copy(bytes.substr(0, needed));
  bool swapped = false;
  const NiftiVersion& v = *nifti_version(copy, swapped);
  const NiftiFields f(copy.data(), v, swapped);
  const std::string_view magic = std::string_view(copy).substr(v.magic_at.at, v.magic.size());
  require<DataError>(magic != v.pair, "{}: is the header of a .hdr/.img pair; convert the pair to one .nii file", name);
  require<DataError>(magic == v.magic, "{}: lacks the NIfTI-{} mark 'n+{}'; if it is an Analyze file, convert it to .nii",
                     name, v.number, v.number);

  NiftiHeader h;
  h.shape = read_shape(f, name);
  h.type = type_of(f, name);
  h.data_bytes = declared_bytes(h.shape, h.type.bytes, name);
  const double offset = f.finite(v.offset, 0, "vox_offset", name);
  require<DataError>(
      offset >= double(v.first_voxel()) && offset <= 1e9 && offset == std::floor(offset),
      "{}: the header places the first voxel at byte {}, it must be a whole number from {}; repair it with nifti_tool", name,
      offset, v.first_voxel());
  h.voxel_offset = std::size_t(offset);
  if (const double slope = f.number(v.slope); !std::isnan(slope) && slope != 0)
    h.scaling = {f.finite(v.slope, 0, "scl_slope", name), f.finite(v.intercept, 0, "scl_inter", name)};
  h.geometry = read_geometry(f, copy, h.shape, name, h.remarks);
  return h;
}

std::string build_nifti_header(const Shape& shape, engine::Dtype dtype, const Geometry& geometry, bool& swapped) {
  require(shape.rank() == 4, "a NIfTI volume is [D, H, W, C], got {}", shape);
  const bool given = !geometry.nifti_header.empty();
  std::string bytes = given ? geometry.nifti_header : fresh_header(geometry);
  const NiftiVersion* version = nifti_version(bytes, swapped);
  require(version && bytes.size() == version->bytes, "the source header has {} bytes, a NIfTI header has 348 or 540",
          bytes.size());
  const NiftiVersion& v = *version;
  const std::int64_t longest = v.number == 1 ? 32767 : std::int64_t(1) << 40;
  for (std::int64_t extent : shape)
    require(extent >= 1 && extent <= longest, "a NIfTI-{} extent is 1 to {}, got {}", v.number, longest, shape);
  NiftiFields f(bytes.data(), v, swapped);
  const std::int64_t source_rank = f.whole(v.dim);
  for (int a = 0; given && a < 3; ++a) {
    const std::int64_t source = a < source_rank ? f.whole(v.dim, std::size_t(a) + 1) : 1;
    require(source == shape[2 - a], "the volume {} does not have the extents of its source, axis {} has {}", shape, "xyz"[a],
            source);
  }
  f.set(v.dim, 0, shape[3] > 1 ? 4 : given && source_rank == 2 ? 2 : 3);
  for (std::size_t a = 1; a <= 7; ++a) f.set(v.dim, a, a <= 3 ? double(shape[int(3 - a)]) : a == 4 ? double(shape[3]) : 1);
  const bool mask = dtype == engine::Dtype::u8;
  f.set(v.datatype, 0, mask ? 2 : 16), f.set(v.bitpix, 0, mask ? 8 : 32);
  f.set(v.offset, 0, double(v.first_voxel()));
  f.set(v.slope, 0, 1), f.set(v.intercept, 0, 0);
  f.set(v.display, 0, 0), f.set(v.display, 1, 0);
  for (std::size_t i = 0; i < 3; ++i) f.set(v.intent, i, 0);
  f.set(v.intent_code, 0, 0);
  f.clear(v.intent_name, 16);
  std::copy(v.magic.begin(), v.magic.end(), bytes.begin() + std::ptrdiff_t(v.magic_at.at));
  return bytes;
}

}  // namespace sagcl::datasets
