#include "datasets/formats/nrrd.h"

#include <algorithm>
#include <cstring>

#include "datasets/formats/gzip.h"
#include "datasets/formats/nrrd_header.h"
#include "datasets/layouts/layouts.h"
#include "engine/files/read_file.h"

namespace sagcl::datasets {

using engine::DataError;
using engine::require;

namespace {

constexpr const char* longer =
    "if they stand in front, as another header does, say so with 'byte skip', if they stand behind, cut them off";

/// Bytes behind the voxels that are passed over: some writers pad. A data file of its own that is longer is read from its
/// begin by some programs and from its end by others, so nothing is guessed.
std::size_t trailing_bytes(const NrrdHeader& h) { return h.data_file.empty() ? 65536 : 0; }

Tensor inflate_voxels(std::string_view data, const NrrdHeader& h, std::size_t needed, const std::string& name) {
  const std::size_t skip = std::size_t(std::max<std::int64_t>(h.byte_skip, 0));
  require<DataError>(h.byte_skip >= 0, "{}: 'byte skip: -1' is for raw data, this file is compressed; repair the header",
                     name);
  require_can_inflate(data.size(), needed + skip, h.shape, name);
  Inflater in(data, Inflater::Kind::gzip, name);
  char skipped[4096];
  for (std::size_t left = skip; left > 0;) {
    const std::size_t n = std::min(left, sizeof skipped);
    in.read_exactly(skipped, n, "the part before the first voxel");
    left -= n;
  }
  const std::string what = fmt::format("a volume of {}", h.shape);
  Tensor voxels = read_numbers([&](char* to, std::size_t n) { in.read_exactly(to, n, what); }, h.shape, h.type, h.channels);
  in.finish(trailing_bytes(h), longer);
  return voxels;
}

}  // namespace

Image decode_nrrd(std::string_view bytes, const std::string& name, const DetachedData& detached) {
  NrrdHeader h = parse_nrrd_header(bytes, name);
  const std::size_t needed = declared_bytes(h.shape, h.type.bytes, name);
  require<DataError>(
      h.data_file.empty() || (h.data_file.find('%') == std::string::npos && !h.data_file.starts_with("LIST")),
      "{}: the voxels are spread over several files ('data file: {}'); join them with: unu save -f nrrd -i FILE -o "
      "NEW.nrrd",
      name, h.data_file);
  const std::string other = h.data_file.empty() ? std::string() : detached(h.data_file);
  std::string_view data = h.data_file.empty() ? bytes.substr(h.bytes) : std::string_view(other);
  for (std::int64_t line = 0; line < h.line_skip; ++line) {
    const std::size_t end = data.find('\n');
    require<DataError>(end != std::string_view::npos, "{}: 'line skip' is {}, the data has {} lines; repair the header",
                       name, h.line_skip, line);
    data.remove_prefix(end + 1);
  }
  if (h.gzip) return {inflate_voxels(data, h, needed, name), std::move(h.geometry)};
  const std::size_t skip = h.byte_skip < 0 ? (data.size() > needed ? data.size() - needed : 0) : std::size_t(h.byte_skip);
  require<DataError>(skip <= data.size() && needed <= data.size() - skip,
                     "{}: a volume of {} needs {} bytes after byte {}, there are {}; copy or download the file again", name,
                     h.shape, needed, skip, data.size());
  const std::size_t more = data.size() - skip - needed;
  require<DataError>(more <= trailing_bytes(h), "{}: a volume of {} needs {} bytes, {} has {} more; {}", name, h.shape,
                     needed, h.data_file.empty() ? "the file" : h.data_file, more, longer);
  const char* from = data.data() + skip;
  Tensor voxels =
      read_numbers([&](char* to, std::size_t n) { std::memcpy(to, from, n), from += n; }, h.shape, h.type, h.channels);
  return {std::move(voxels), std::move(h.geometry)};
}

Image read_nrrd(const std::filesystem::path& file) {
  return decode_nrrd(engine::read_file(file), file.string(), [&](const std::string& listed) {
    return engine::read_file(inside(file.parent_path(), listed, file.string()));
  });
}

}  // namespace sagcl::datasets
