#include <algorithm>
#include <charconv>
#include <cstring>

#include "datasets/formats/array_file.h"
#include "datasets/formats/numbers.h"
#include "engine/files/read_file.h"

// NumPy's .npy: a mark, the length of a header, the header as a Python dictionary, the numbers.
namespace sagcl::datasets {

using engine::DataError;
using engine::require;
using engine::Shape;

namespace {

constexpr std::string_view mark = "\x93NUMPY";
constexpr std::size_t most_axes = 4;

/// The text behind 'key': in the dictionary, without leading blanks.
std::string_view value_of(std::string_view header, std::string_view key, const std::string& name) {
  const std::size_t at = header.find(key);
  require<DataError>(at != std::string_view::npos, "{}: the .npy header lacks {}; save the array again with numpy.save",
                     name, key);
  header.remove_prefix(at + key.size());
  const std::size_t colon = header.find_first_not_of(" :");
  return colon == std::string_view::npos ? std::string_view() : header.substr(colon);
}

NumberType read_type(std::string_view descr, const std::string& name) {
  using Kind = NumberType::Kind;
  const std::string_view code = descr.substr(0, descr.find('\'', 1)).substr(std::min<std::size_t>(1, descr.size()));
  const bool shaped = code.size() == 3 && std::string_view("<>|=").find(code[0]) != std::string_view::npos &&
                      std::string_view("iufb").find(code[1]) != std::string_view::npos;
  const std::size_t bytes = shaped ? std::size_t(code[2] - '0') : 0;
  const bool real = shaped && code[1] == 'f';
  require<DataError>(bytes == 8 || bytes == 4 || (!real && (bytes == 1 || bytes == 2)),
                     "{}: the .npy file holds numbers of type '{}'; save it as float32 or an integer type", name, code);
  return {real             ? Kind::real
          : code[1] == 'i' ? Kind::integer
                           : Kind::natural,
          bytes, bytes > 1 && code[0] == (big_endian_machine() ? '<' : '>')};
}

Shape read_shape(std::string_view text, const std::string& name) {
  const std::string_view listed = text.substr(0, text.find(')'));
  std::vector<std::int64_t> extents;
  for (std::size_t at = 0; at < listed.size();) {
    if (listed[at] < '0' || listed[at] > '9') {
      ++at;
      continue;
    }
    std::int64_t extent = 0;
    const auto [end, error] = std::from_chars(listed.data() + at, listed.data() + listed.size(), extent);
    require<DataError>(error == std::errc() && extent >= 1 && extents.size() < most_axes,
                       "{}: the .npy header declares the shape {}), expected up to {} extents of at least 1", name, listed,
                       most_axes);
    extents.push_back(extent);
    at = std::size_t(end - listed.data());
  }
  return Shape(extents);
}

/// The array with its first `count` indices in reverse order.
Tensor reversed(const Tensor& t, int count) {
  const Shape& s = t.shape();
  std::vector<std::int64_t> extents(s.begin(), s.end()), step(extents.size(), 1);
  for (std::size_t a = step.size(); a-- > 1;) step[a - 1] = step[a] * extents[a];
  std::reverse(extents.begin(), extents.begin() + count), std::reverse(step.begin(), step.begin() + count);
  Tensor out = Tensor::empty(Shape(extents));
  std::vector<std::int64_t> index(extents.size(), 0);
  for (std::int64_t i = 0; i < out.size(); ++i) {
    std::int64_t from = 0;
    for (std::size_t a = 0; a < index.size(); ++a) from += index[a] * step[a];
    out.data<float>()[i] = t.data<float>()[from];
    for (std::size_t a = index.size(); a-- > 0 && ++index[a] == extents[a];) index[a] = 0;
  }
  return out;
}

}  // namespace

Image image_of_array(Tensor array, Axes axes, const std::string& name) {
  const Shape s = array.shape();
  require<DataError>(s.rank() >= 2 && s.rank() <= 4 && s.size() > 0,
                     "{}: holds an array of {}; an image has two extents, a volume three, a volume with channels four", name,
                     s);
  if (axes == Axes::xyz) array = reversed(array, std::min(s.rank(), 3));
  const Shape t = array.shape();
  if (t.rank() == 4) return {std::move(array), {}};
  return {array.reshape({t.rank() == 2 ? 1 : t[0], t[t.rank() - 2], t[t.rank() - 1], 1}), {}};
}

Tensor decode_npy(std::string_view bytes, const std::string& name) {
  require<DataError>(bytes.starts_with(mark) && bytes.size() >= 12, "{}: is not a .npy file; save the array with numpy.save",
                     name);
  const bool long_header = bytes[6] >= 2;
  std::size_t header_bytes = 0;
  for (std::size_t i = long_header ? 4 : 2; i-- > 0;) header_bytes = header_bytes << 8 | std::uint8_t(bytes[8 + i]);
  const std::size_t first = (long_header ? 12 : 10) + header_bytes;
  require<DataError>(first <= bytes.size(),
                     "{}: its header of {} bytes does not fit in {} bytes; copy or download the file again", name,
                     header_bytes, bytes.size());
  const std::string_view header = bytes.substr(0, first).substr(long_header ? 12 : 10);
  const NumberType type = read_type(value_of(header, "'descr'", name), name);
  const bool fortran = value_of(header, "'fortran_order'", name).starts_with("True");
  Shape shape = read_shape(value_of(header, "'shape'", name), name);
  const std::size_t needed = declared_bytes(shape, type.bytes, name);
  require<DataError>(needed <= bytes.size() - first,
                     "{}: an array of {} needs {} bytes, the file has {}; copy or download it again", name, shape, needed,
                     bytes.size() - first);
  if (fortran) {
    std::vector<std::int64_t> reversed(shape.begin(), shape.end());
    std::reverse(reversed.begin(), reversed.end());
    shape = Shape(reversed);
  }
  const char* from = bytes.data() + first;
  const Tensor values = read_numbers([&](char* to, std::size_t n) { std::memcpy(to, from, n), from += n; }, shape, type);
  return fortran ? reversed(values, values.shape().rank()) : values;
}

Tensor read_npy(const std::filesystem::path& file) { return decode_npy(engine::read_file(file), file.string()); }

std::string npy_header(const Shape& shape, engine::Dtype dtype) {
  static constexpr std::pair<engine::Dtype, const char*> codes[] = {
      {engine::Dtype::f32, "f4"}, {engine::Dtype::f64, "f8"}, {engine::Dtype::i32, "i4"}, {engine::Dtype::u8, "u1"}};
  const auto code = std::find_if(std::begin(codes), std::end(codes), [&](const auto& c) { return c.first == dtype; });
  require<engine::DtypeError>(code != std::end(codes), "a .npy file holds no {}", dtype);
  std::string extents;
  for (int a = 0; a < shape.rank(); ++a) extents += fmt::format("{}, ", shape[a]);
  std::string text = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}",
                                 big_endian_machine() ? '>' : '<', code->second, extents);
  constexpr std::size_t before = 10, line = 64;  // numbers begin at a multiple of 64 bytes, behind the end of a line
  text.resize((before + text.size() + line) / line * line - before - 1, ' ');
  text += '\n';
  return std::string(mark) + std::string("\x01\x00", 2) + char(text.size() & 255) + char(text.size() >> 8) + text;
}

std::string encode_npy(const Tensor& array) {
  const Tensor host = array.to(engine::Device::cpu()).to(computed_in(array.dtype()));  // NumPy has no bf16
  return npy_header(host.shape(), host.dtype()) + std::string(static_cast<const char*>(host.bytes_begin()), host.bytes());
}

}  // namespace sagcl::datasets
