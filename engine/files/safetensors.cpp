#include "engine/files/safetensors.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>

#include "engine/files/atomic_file.h"
#include "engine/files/mapped_file.h"
#include "engine/files/read_file.h"

namespace sagcl::engine {
namespace {

using Json = nlohmann::ordered_json;
using std::filesystem::path;

/// Parses the header, refusing names that appear twice (JSON libraries keep one of them silently).
Json parse_header(const std::string& text, const path& file) {
  std::vector<std::set<std::string>> seen;
  bool duplicate = false;
  int deepest = 0;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    deepest = std::max(deepest, depth);
    if (depth > 8) return false;
    if (event == Json::parse_event_t::object_start) seen.emplace_back();
    if (event == Json::parse_event_t::object_end && !seen.empty()) seen.pop_back();
    if (event == Json::parse_event_t::key && !seen.empty())
      duplicate = duplicate || !seen.back().insert(parsed.get<std::string>()).second;
    return true;
  };
  Json header = Json::parse(text, watch, /*allow_exceptions=*/false);
  require<DataError>(!header.is_discarded() && header.is_object() && deepest <= 8,
                     "{}: the safetensors header is not a JSON object", file.string());
  require<DataError>(!duplicate, "{}: the safetensors header names a tensor twice", file.string());
  return header;
}

float widen_half(std::uint16_t h) {
  const int exponent = h >> 10 & 31, fraction = h & 1023;
  const float magnitude = exponent == 0    ? std::ldexp(float(fraction), -24)
                          : exponent == 31 ? (fraction ? NAN : INFINITY)
                                           : std::ldexp(float(1024 + fraction), exponent - 25);
  return h & 0x8000 ? -magnitude : magnitude;
}

/// What is to be read, and who keeps it if tensors may lie in it.
struct Source {
  std::string_view bytes;
  std::string name;
  std::shared_ptr<const MappedFile> file;
};

/// Reads n elements stored as From, each turned into To by `convert`.
template <class From, class To, class Convert>
Tensor converted(const Shape& shape, const char* source, Convert convert) {
  Tensor t = Tensor::empty(shape, dtype_of<To>);
  To* out = t.data<To>();
  for (std::int64_t i = 0; i < t.size(); ++i) {
    From value;
    std::memcpy(&value, source + std::size_t(i) * sizeof(From), sizeof(From));
    out[i] = convert(value);
  }
  return t;
}

std::size_t stored_bytes(const std::string& dtype) {
  if (dtype == "F64" || dtype == "I64") return 8;
  if (dtype == "F32" || dtype == "I32") return 4;
  if (dtype == "BF16" || dtype == "F16") return 2;
  if (dtype == "U8" || dtype == "BOOL") return 1;
  return 0;
}

Tensor read_tensor(const std::string& dtype, const Shape& shape, const char* p, const path& file, const std::string& name) {
  if (dtype == "F64") return converted<double, double>(shape, p, [](double v) { return v; });
  if (dtype == "F32") return converted<float, float>(shape, p, [](float v) { return v; });
  if (dtype == "F16") return converted<std::uint16_t, float>(shape, p, widen_half);
  if (dtype == "BF16") return converted<bf16, float>(shape, p, [](bf16 v) { return float(v); });
  if (dtype == "I32") return converted<std::int32_t, std::int32_t>(shape, p, [](std::int32_t v) { return v; });
  if (dtype == "I64")
    return converted<std::int64_t, std::int32_t>(shape, p, [&](std::int64_t v) {
      require<DataError>(v == std::int32_t(v), "{}: tensor {} holds {}, which does not fit 32 bits", file.string(), name, v);
      return std::int32_t(v);
    });
  return converted<std::uint8_t, std::uint8_t>(shape, p, [](std::uint8_t v) { return v; });
}

struct Entry {
  std::string name, dtype;
  Shape shape;
  std::size_t begin, end;
};

Entry parse_entry(const std::string& name, const Json& j, const path& file) {
  const auto bad = [&](const char* what) { fail<DataError>("{}: tensor {}: {}", file.string(), name, what); };
  if (!j.is_object() || !j.contains("dtype") || !j.contains("shape") || !j.contains("data_offsets"))
    bad("needs dtype, shape and data_offsets");
  const Json &dtype = j["dtype"], &shape = j["shape"], &offsets = j["data_offsets"];
  if (!dtype.is_string() || stored_bytes(dtype.get<std::string>()) == 0) bad("has an unknown dtype");
  if (!shape.is_array() || shape.size() > Shape::max_rank) bad("has a shape that is not a list of at most 6 numbers");
  std::vector<std::int64_t> extents;
  for (const Json& e : shape) {
    if (!e.is_number_unsigned() || e.get<std::uint64_t>() > (std::uint64_t(1) << 40)) bad("has an impossible extent");
    extents.push_back(e.get<std::int64_t>());
  }
  if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() || !offsets[1].is_number_unsigned())
    bad("has malformed data_offsets");
  Entry e{name, dtype.get<std::string>(), Shape(extents), offsets[0].get<std::size_t>(), offsets[1].get<std::size_t>()};
  std::int64_t count = 0;
  try {
    count = e.shape.size();
  } catch (const ShapeError&) { bad("has too many elements"); }
  if (e.end < e.begin || e.end - e.begin != std::size_t(count) * stored_bytes(e.dtype))
    bad("has data_offsets that do not fit its shape");
  return e;
}

/// The tensor where it lies in the file; not defined if it is stored otherwise than it is used.
Tensor tensor_in_place(const Entry& e, std::size_t at, const std::shared_ptr<const MappedFile>& file) {
  const auto here = [&](Dtype dtype) {
    return at % bytes_of(dtype) == 0 ? Tensor::borrowed(e.shape, dtype, file, file->data() + at) : Tensor();
  };
  if (e.dtype == "F64") return here(Dtype::f64);
  if (e.dtype == "F32") return here(Dtype::f32);
  if (e.dtype == "I32") return here(Dtype::i32);
  return e.dtype == "U8" ? here(Dtype::u8) : Tensor();
}

const char* stored_name(Dtype d) {
  switch (d) {
    case Dtype::f32: return "F32";
    case Dtype::f64: return "F64";
    case Dtype::bf16: return "BF16";  // comes back as f32
    case Dtype::i32: return "I32";
    case Dtype::u8: return "U8";
  }
  return "";
}

TensorFile parse(const Source& source) {
  const std::string_view bytes = source.bytes;
  const path file = source.name;
  require<DataError>(bytes.size() >= 8, "{}: has {} bytes, a safetensors file needs at least 8", file.string(),
                     bytes.size());
  std::uint64_t header_size = 0;
  std::memcpy(&header_size, bytes.data(), 8);
  require<DataError>(header_size <= 100'000'000 && header_size <= bytes.size() - 8,
                     "{}: says its header has {} bytes, the file has {}", file.string(), header_size, bytes.size());
  const Json header = parse_header(std::string(bytes.substr(8, header_size)), file);
  const char* data = bytes.data() + 8 + header_size;
  const std::size_t data_size = bytes.size() - 8 - header_size;

  TensorFile content;
  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items()) {
    if (name != "__metadata__") {
      entries.push_back(parse_entry(name, value, file));
      continue;
    }
    require<DataError>(value.is_object(), "{}: __metadata__ must map text to text", file.string());
    for (const auto& [key, note] : value.items()) {
      require<DataError>(note.is_string(), "{}: __metadata__.{} must be text", file.string(), key);
      content.notes[key] = note.get<std::string>();
    }
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  std::size_t end = 0;
  for (const Entry& e : entries) {
    require<DataError>(e.begin == end && e.end <= data_size,
                       "{}: tensor {} covers bytes {} to {} where {} was expected, of {}", file.string(), e.name, e.begin,
                       e.end, end, data_size);
    Tensor tensor = source.file ? tensor_in_place(e, 8 + header_size + e.begin, source.file) : Tensor();
    if (!tensor.defined()) tensor = read_tensor(e.dtype, e.shape, data + e.begin, file, e.name);
    content.tensors[e.name] = std::move(tensor);
    end = e.end;
  }
  require<DataError>(end == data_size, "{}: {} bytes follow the last tensor", file.string(), data_size - end);
  return content;
}

/// Calls put(begin, size) for the pieces of the file, in order.
template <class Put>
void write_pieces(const TensorFile& content, Put&& put) {
  std::vector<std::pair<std::string, Tensor>> order(content.tensors.begin(), content.tensors.end());
  std::stable_sort(order.begin(), order.end(),  // widest type first keeps every tensor aligned
                   [](const auto& a, const auto& b) { return bytes_of(a.second.dtype()) > bytes_of(b.second.dtype()); });
  Json header = Json::object();
  if (!content.notes.empty()) header["__metadata__"] = content.notes;
  std::size_t offset = 0;
  for (const auto& [name, t] : order) {
    header[name] = {{"dtype", stored_name(t.dtype())},
                    {"shape", std::vector<std::int64_t>(t.shape().begin(), t.shape().end())},
                    {"data_offsets", {offset, offset + t.bytes()}}};
    offset += t.bytes();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t header_size = text.size();
  put(reinterpret_cast<const char*>(&header_size), sizeof header_size);
  put(text.data(), text.size());
  for (const auto& [name, t] : order) {
    const Tensor host = t.to(Device::cpu());
    put(static_cast<const char*>(host.bytes_begin()), host.bytes());
  }
}

}  // namespace

TensorFile read_safetensors(const path& file) { return parse_safetensors(read_file(file), file.string()); }

TensorFile map_safetensors(const path& file) {
  const auto mapped = std::make_shared<const MappedFile>(file);
  return parse({{mapped->data(), mapped->bytes()}, file.string(), mapped});
}

TensorFile parse_safetensors(const std::string& bytes, const std::string& source) { return parse({bytes, source, nullptr}); }

void write_safetensors(const path& file, const TensorFile& content) {
  AtomicFile out(file);
  write_pieces(content, [&](const char* data, std::size_t size) { out.write(data, size); });
  out.commit();
}

std::string safetensors_bytes(const TensorFile& content) {
  std::string bytes;
  write_pieces(content, [&](const char* data, std::size_t size) { bytes.append(data, size); });
  return bytes;
}

}  // namespace sagcl::engine
