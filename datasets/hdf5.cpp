#include <hdf5.h>

#include <algorithm>
#include <vector>

#include "datasets/array_file.h"
#include "datasets/child_process.h"
#include "datasets/gzip.h"
#include "datasets/numbers.h"
#include "engine/safetensors.h"

// The file is handed to the HDF5 library as memory, so it can open nothing else; plugins for filters are off. Damaged files
// can bring the library down (1.10.8 of Debian 12 does so under the fuzzer), so it runs in a child process.
namespace sagcl::datasets {

using engine::DataError;
using engine::fail;
using engine::require;
using engine::Shape;

namespace {

constexpr int most_axes = 4;
constexpr std::size_t largest_chunk = std::size_t(256) << 20;

/// An open thing of the library. DataError from `name` if it could not be opened.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t), const std::string& name, const char* what) : id_(id), close_(close) {
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
  const Handle space(H5Dget_space(dataset), H5Sclose, name, what.c_str());
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
  const Handle plist(H5Dget_create_plist(dataset), H5Pclose, name, what.c_str());
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
  if (layout == H5D_CHUNKED) {
    hsize_t chunk[most_axes] = {};
    const int rank = H5Pget_chunk(plist, most_axes, chunk);
    std::size_t bytes = number_bytes;
    for (int a = 0; a < std::min(rank, most_axes); ++a)
      if (__builtin_mul_overflow(bytes, std::size_t(chunk[a]), &bytes)) bytes = largest_chunk + 1;
    require<DataError>(rank == shape.rank() && bytes >= 1 && bytes <= largest_chunk,
                       "{}: {} has chunks of more than {} bytes; convert it with: h5repack -l CHUNK=64x64x16", name, what,
                       largest_chunk);
  }
  const std::size_t stored = std::size_t(H5Dget_storage_size(dataset));
  if (filters > 0) require_can_inflate(stored, needed, shape, name);
  else
    require<DataError>(stored >= needed,
                       "{}: {} declares {} voxels, {} bytes, but {} are stored; copy or download the file again", name, what,
                       shape, needed, stored);
}

/// What the child computes: the extents and values of one data set.
struct Array {
  Shape shape;
  std::vector<float> values;
};

Array decode_here(std::string_view bytes, const std::string& name, const std::string& dataset) {
  require<engine::BackendError>(
      H5open() >= 0 && H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) >= 0 && H5PLset_loading_state(0) >= 0,
      "HDF5: the library could not be started");
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, name, "the file");
  H5Pset_fapl_core(access, std::size_t(1) << 16, false);
  H5Pset_file_image(access, const_cast<char*>(bytes.data()), bytes.size());  // the library copies it
  const Handle file(H5Fopen("memory", H5F_ACC_RDONLY, access), H5Fclose, name, "the file");
  H5L_info_t link;
  const bool there = H5Lexists(file, dataset.c_str(), H5P_DEFAULT) > 0 &&
                     H5Lget_info(file, dataset.c_str(), &link, H5P_DEFAULT) >= 0 && link.type == H5L_TYPE_HARD;
  require<DataError>(there, "{}: has no data set '{}' (it holds {}); add it with h5py, or take the case out of the lists",
                     name, dataset, names_in(file));
  const std::string what = "the data set '" + dataset + "'";
  const Handle set(H5Dopen2(file, dataset.c_str(), H5P_DEFAULT), H5Dclose, name, what.c_str());
  const Handle type(H5Dget_type(set), H5Tclose, name, what.c_str());
  const H5T_class_t kind = H5Tget_class(type);
  const std::size_t number_bytes = H5Tget_size(type);
  require<DataError>((kind == H5T_INTEGER || kind == H5T_FLOAT) && number_bytes >= 1 && number_bytes <= 8,
                     "{}: {} does not hold plain numbers; write it again as float32 or uint8", name, what);
  Array array{read_shape(set, what, name), {}};
  const Shape& shape = array.shape;
  check_storage(set, declared_bytes(shape, number_bytes, name), number_bytes, shape, what, name);
  array.values.resize(std::size_t(shape.size()));
  require<DataError>(H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, array.values.data()) >= 0,
                     "{}: {} cannot be read to its end (damaged or truncated file); copy or download it again", name, what);
  return array;
}

constexpr std::int64_t failed = -1;  // sent instead of a rank, then the length of a message and the message

}  // namespace

Tensor decode_hdf5(std::string_view bytes, const std::string& name, const std::string& dataset) {
  require<DataError>(bytes.substr(0, 8) == "\x89HDF\r\n\x1a\n", "{}: is not an HDF5 file; write it again with h5py", name);
  Tensor values;
  std::string refusal;
  const std::string ended = in_child_process(
      [&](const Send& send) {
        const auto send_number = [&](std::int64_t n) { send(&n, sizeof n); };
        try {
          const Array array = decode_here(bytes, name, dataset);
          send_number(array.shape.rank());
          for (const std::int64_t extent : array.shape) send_number(extent);
          send(array.values.data(), array.values.size() * sizeof(float));
        } catch (const engine::Error& e) {
          const std::string_view text = e.what();
          send_number(failed), send_number(std::int64_t(text.size()));
          send(text.data(), text.size());
        }
      },
      [&](const Receive& receive) {
        std::int64_t rank = 0, extents[most_axes] = {}, length = 0;
        if (!receive(&rank, sizeof rank)) return;
        if (rank == failed && receive(&length, sizeof length) && length >= 0 && length < 65536) {
          refusal.resize(std::size_t(length));
          receive(refusal.data(), refusal.size());
        } else if (rank >= 1 && rank <= most_axes && receive(extents, std::size_t(rank) * sizeof *extents)) {
          for (std::int64_t& extent : extents) extent = std::max<std::int64_t>(extent, 0);  // what a broken child may send
          const Shape shape(std::span<const std::int64_t>(extents, std::size_t(rank)));
          declared_bytes(shape, sizeof(float), name);
          Tensor read = Tensor::empty(shape);
          if (receive(read.data<float>(), read.bytes())) values = std::move(read);
        }
      });
  require<DataError>(refusal.empty(), "{}", refusal);
  require<DataError>(values.defined() && ended.empty(),
                     "{}: the HDF5 library failed on it ({}), so the file is damaged; copy or download it again", name,
                     ended.empty() ? "it sent nothing" : ended);
  return values;
}

Tensor read_hdf5(const std::filesystem::path& file, const std::string& dataset) {
  return decode_hdf5(engine::read_file(file), file.string(), dataset);
}

}  // namespace sagcl::datasets
