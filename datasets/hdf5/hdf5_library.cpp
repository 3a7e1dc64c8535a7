#include <hdf5.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "datasets/formats/hdf5_plugin.h"
#include "datasets/formats/numbers.h"
#include "engine/error.h"

// The file is handed to the HDF5 library as memory; links to other files and plugins for filters are off.
namespace sagcl::datasets {

using engine::DataError;
using engine::require;
using engine::Shape;

namespace {

constexpr const char* again = "copy or download the file again";
constexpr std::size_t largest_chunk = std::size_t(256) << 20;
constexpr std::size_t most_unwritten = std::size_t(1) << 29;  // numbers of a data set that the file may hold in part alone

/// True if the library's last failure was a part of the file in a version that it does not know.
bool unknown_version() {
  bool found = false;
  const auto look = [](unsigned, const H5E_error2_t* error, void* out) -> herr_t {
    if (error->desc && std::strstr(error->desc, "version")) *static_cast<bool*>(out) = true;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, look, &found);
  return found;
}

std::string library_version() {
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return fmt::format("{}.{}.{}", major, minor, release);
}

/// An open thing of the library. DataError from `name` if it could not be opened.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t), const std::string& name, const std::string& what) : id_(id), close_(close) {
    const bool unknown = id < 0 && unknown_version();  // before any other call, which would forget the failure
    require<DataError>(!unknown,
                       "{}: {} is in a form that HDF5 {}, which this program runs with, does not know: newer, or damaged; "
                       "write it again with h5py.File(name, 'w', libver='earliest')",
                       name, what, library_version());
    require<DataError>(id >= 0, "{}: {} cannot be read (HDF5); copy or download the file again, or write it again with h5py",
                       name, what);
  }
  ~Handle() { close_(id_); }
  Handle(const Handle&) = delete;
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// "image, label": what lies in the file's root, for errors.
std::string names_in(hid_t file) {
  std::string names;
  const auto add = [](hid_t, const char* name, const H5L_info_t*, void* out) -> herr_t {
    std::string& list = *static_cast<std::string*>(out);
    list += (list.empty() ? "" : ", ") + std::string(name);
    return list.size() > 200 ? 1 : 0;
  };
  H5Literate(file, H5_INDEX_NAME, H5_ITER_NATIVE, nullptr, add, &names);
  return names.empty() ? "nothing" : names;
}

Shape read_shape(hid_t dataset, const std::string& what, const std::string& name) {
  const Handle space(H5Dget_space(dataset), H5Sclose, name, what);
  const int rank = H5Sget_simple_extent_ndims(space);
  require<DataError>(H5Sget_simple_extent_type(space) == H5S_SIMPLE && rank >= 1 && rank <= most_axes,
                     "{}: {} has {} axes, 2 to {} are read; write it again as an image or volume", name, what, rank,
                     most_axes);
  hsize_t extents[most_axes] = {};
  H5Sget_simple_extent_dims(space, extents, nullptr);
  std::int64_t signed_extents[most_axes] = {};
  for (int a = 0; a < rank; ++a) {
    require<DataError>(extents[a] >= 1 && extents[a] < (hsize_t(1) << 40),
                       "{}: {} declares an extent of {}; the file is damaged", name, what, extents[a]);
    signed_extents[a] = std::int64_t(extents[a]);
  }
  return Shape(std::span<const std::int64_t>(signed_extents, std::size_t(rank)));
}

/// Refuses what could reach other files or grow without bound before a number is read.
void check_storage(hid_t dataset, std::size_t needed, std::size_t number_bytes, const Shape& shape, const std::string& what,
                   const std::string& name) {
  const Handle plist(H5Dget_create_plist(dataset), H5Pclose, name, what);
  const H5D_layout_t layout = H5Pget_layout(plist);
  require<DataError>(
      (layout == H5D_CONTIGUOUS || layout == H5D_CHUNKED || layout == H5D_COMPACT) && H5Pget_external_count(plist) == 0,
      "{}: {} is stored in other files; copy it into this one with: h5repack", name, what);
  const int filters = H5Pget_nfilters(plist);
  for (int i = 0; i < filters; ++i) {
    unsigned flags = 0, config = 0;
    std::size_t values = 0;
    const H5Z_filter_t filter = H5Pget_filter2(plist, unsigned(i), &flags, &values, nullptr, 0, nullptr, &config);
    require<DataError>(
        filter == H5Z_FILTER_DEFLATE || filter == H5Z_FILTER_SHUFFLE || filter == H5Z_FILTER_FLETCHER32,
        "{}: {} uses the HDF5 filter {}, only gzip, shuffle and checksums are read; convert it with: h5repack -f GZIP=4",
        name, what, int(filter));
  }
  std::size_t chunk_bytes = number_bytes;
  if (layout == H5D_CHUNKED) {
    hsize_t chunk[most_axes] = {};
    const int rank = H5Pget_chunk(plist, most_axes, chunk);
    for (int a = 0; a < std::min(rank, most_axes); ++a)
      if (__builtin_mul_overflow(chunk_bytes, std::size_t(chunk[a]), &chunk_bytes)) chunk_bytes = largest_chunk + 1;
    require<DataError>(rank == shape.rank() && chunk_bytes >= 1 && chunk_bytes <= largest_chunk,
                       "{}: {} has chunks of more than {} bytes; convert it with: h5repack -l CHUNK=64x64x16", name, what,
                       largest_chunk);
  }
  // What was never written is the fill value, so less may be stored than is declared: then memory alone is the limit.
  const std::size_t stored = std::size_t(H5Dget_storage_size(dataset));
  std::size_t written = needed;
  if (layout == H5D_CHUNKED) {
    hsize_t chunks = 0;
    const Handle space(H5Dget_space(dataset), H5Sclose, name, what);
    require<DataError>(H5Dget_num_chunks(dataset, space, &chunks) >= 0, "{}: the chunks of {} cannot be counted; {}", name,
                       what, again);
    if (__builtin_mul_overflow(std::size_t(chunks), chunk_bytes, &written)) written = needed;
    written = std::min(written, needed);
  } else if (stored == 0) {
    written = 0;
  }
  if (filters > 0) require_can_inflate(stored, written, shape, name);
  else
    require<DataError>(stored >= written, "{}: {} declares {} voxels, {} bytes, but {} are stored; {}", name, what, shape,
                       needed, stored, again);
  require<DataError>(
      written == needed || std::size_t(shape.size()) <= most_unwritten,
      "{}: {} declares {} voxels, of which the file holds a part; up to {} are filled in; write it again with "
      "h5py",
      name, what, shape, most_unwritten);
}

/// The numbers of integers, real numbers, truth values (enumerations and bit fields) as f32.
void read_values(hid_t dataset, hid_t type, std::vector<float>& values, const std::string& what, const std::string& name) {
  const H5T_class_t kind = H5Tget_class(type);
  const auto read = [&](hid_t as, void* to) {
    require<DataError>(H5Dread(dataset, as, H5S_ALL, H5S_ALL, H5P_DEFAULT, to) >= 0,
                       "{}: {} cannot be read to its end (damaged or truncated file); {}", name, what, again);
  };
  if (kind == H5T_INTEGER || kind == H5T_FLOAT) return read(H5T_NATIVE_FLOAT, values.data());
  const Handle native(H5Tget_native_type(type, H5T_DIR_ASCEND), H5Tclose, name, what);
  const std::size_t bytes = H5Tget_size(native), wide = std::max(bytes, sizeof(float));
  const bool bits = kind == H5T_BITFIELD;
  const Handle plain(bits ? H5Tcopy(H5T_NATIVE_UINT8) : H5Tget_super(native), H5Tclose, name, what);
  std::vector<char> raw(values.size() * wide);  // converted where it lies
  read(native, raw.data());
  require<DataError>(H5Tconvert(plain, H5T_NATIVE_FLOAT, values.size(), raw.data(), nullptr, H5P_DEFAULT) >= 0,
                     "{}: {} cannot be converted to numbers; write it again as float32 or uint8", name, what);
  std::memcpy(values.data(), raw.data(), values.size() * sizeof(float));
}

/// DataError unless `dataset` is a data set that lies in this file under this name.
void require_dataset(hid_t file, const std::string& dataset, const std::string& name) {
  H5L_info_t link;
  require<DataError>(
      H5Lexists(file, dataset.c_str(), H5P_DEFAULT) > 0 && H5Lget_info(file, dataset.c_str(), &link, H5P_DEFAULT) >= 0,
      "{}: has no data set '{}' (it holds {}); add it with h5py, or take the case out of the lists", name, dataset,
      names_in(file));
  require<DataError>(
      link.type == H5L_TYPE_HARD,
      "{}: '{}' is a link to {}, and links are not followed; store the array itself under this name with h5py", name,
      dataset, link.type == H5L_TYPE_SOFT ? "another name" : "another file");
  H5O_info_t object;
  require<DataError>(H5Oget_info_by_name(file, dataset.c_str(), &object, H5P_DEFAULT) < 0 || object.type == H5O_TYPE_DATASET,
                     "{}: '{}' is a group, not a data set; store the array itself under this name with h5py", name, dataset);
}

}  // namespace

/// The plugin's entry, see hdf5_plugin.h.
extern "C" __attribute__((visibility("default"))) void sagcl_plugin_read_hdf5(std::string_view bytes,
                                                                              const std::string& name,
                                                                              const std::string& dataset, Hdf5Array& array) {
  require<engine::BackendError>(
      H5open() >= 0 && H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) >= 0 && H5PLset_loading_state(0) >= 0,
      "HDF5: the library could not be started");
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, name, "the file");
  H5Pset_fapl_core(access, std::size_t(1) << 16, false);
  H5Pset_file_image(access, const_cast<char*>(bytes.data()), bytes.size());  // the library copies it
  const Handle file(H5Fopen("memory", H5F_ACC_RDONLY, access), H5Fclose, name, "the file");
  require_dataset(file, dataset, name);
  const std::string what = "the data set '" + dataset + "'";
  const Handle set(H5Dopen2(file, dataset.c_str(), H5P_DEFAULT), H5Dclose, name, what);
  const Handle type(H5Dget_type(set), H5Tclose, name, what);
  const H5T_class_t kind = H5Tget_class(type);
  const std::size_t number_bytes = H5Tget_size(type);
  const bool numbers =
      kind == H5T_INTEGER || kind == H5T_FLOAT || kind == H5T_ENUM || (kind == H5T_BITFIELD && number_bytes == 1);
  require<DataError>(numbers && number_bytes >= 1 && number_bytes <= 8,
                     "{}: {} does not hold plain numbers; write it again as float32 or uint8", name, what);
  array.shape = read_shape(set, what, name);
  check_storage(set, declared_bytes(array.shape, number_bytes, name), number_bytes, array.shape, what, name);
  array.values.resize(std::size_t(array.shape.size()));
  read_values(set, type, array.values, what, name);
}

}  // namespace sagcl::datasets
