#include <dlfcn.h>

#include <algorithm>
#include <vector>

#include "datasets/formats/array_file.h"
#include "datasets/formats/child_process.h"
#include "datasets/formats/hdf5_plugin.h"
#include "datasets/formats/numbers.h"
#include "engine/devices/plugin.h"
#include "engine/files/read_file.h"

// The HDF5 library lies behind a plugin, which is opened for the first .h5 file. Damaged files can bring it down (1.10.8 of
// Debian 12 does so under the fuzzer), so it runs in a child process.
namespace sagcl::datasets {

using engine::DataError;
using engine::require;
using engine::Shape;

namespace {

constexpr std::int64_t failed = -1;  // sent instead of a rank, then the length of a message and the message

ReadHdf5 plugin(const std::string& name) {
  static std::string why;
  static const auto entry = reinterpret_cast<ReadHdf5>(
      engine::plugin_entry("libsagcl_hdf5.so", "sagcl_plugin_read_hdf5", RTLD_LAZY | RTLD_LOCAL, why));
  require<DataError>(entry, "{}: HDF5 files cannot be read: {}", name, why);
  return entry;
}

/// The mark of HDF5 stands at the file's begin, or behind a user block of 512, 1024, 2048, ... bytes.
bool is_hdf5(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size(); at = at ? 2 * at : 512)
    if (bytes.substr(at).starts_with("\x89HDF\r\n\x1a\n")) return true;
  return false;
}

}  // namespace

Tensor decode_hdf5(std::string_view bytes, const std::string& name, const std::string& dataset) {
  require<DataError>(is_hdf5(bytes), "{}: is not an HDF5 file; write it again with h5py", name);
  const ReadHdf5 read_dataset = plugin(name);
  Tensor values;
  std::string refusal;
  const std::string ended = in_child_process(
      [&](const Send& send) {
        const auto send_number = [&](std::int64_t n) { send(&n, sizeof n); };
        try {
          Hdf5Array array;
          read_dataset(bytes, name, dataset, array);
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
