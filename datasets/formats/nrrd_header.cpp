#include "datasets/formats/nrrd_header.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <optional>

#include "datasets/affine.h"
#include "datasets/text.h"

namespace sagcl::datasets {

using engine::DataError;
using engine::fail;
using engine::require;

namespace {

using Vector = std::array<double, 3>;
using Fields = std::map<std::string, std::string>;
constexpr std::size_t longest_header = std::size_t(1) << 20;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

/// The values of a field: separated by blanks, except within (...) and "...".
std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  for (text = trimmed(text); !text.empty(); text = trimmed(text)) {
    const char close = text[0] == '(' ? ')' : text[0] == '"' ? '"' : ' ';
    std::size_t end = text.find(close, 1);
    if (close == ' ') end = std::min(end, text.find('\t'));
    end = end == std::string_view::npos ? text.size() : close == ' ' ? end : end + 1;
    out.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return out;
}

template <class T>
std::optional<T> number(std::string_view text) {
  text = trimmed(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  return number_in<T>(text);
}

/// Reads the fields up to the empty line.
Fields read_fields(std::string_view bytes, std::size_t& used, const std::string& name) {
  require<DataError>(bytes.starts_with("NRRD000"),
                     "{}: is not a NRRD file (it does not begin with NRRD000); convert it to NIfTI", name);
  static const std::map<std::string, std::string> other_names = {
      {"datafile", "data file"}, {"byteskip", "byte skip"}, {"lineskip", "line skip"}};
  Fields fields;
  used = 0;
  for (bool first = true;; first = false) {
    const std::size_t end = bytes.find('\n', used);
    std::string_view line = bytes.substr(used, end == std::string_view::npos ? end : end - used);
    used = end == std::string_view::npos ? bytes.size() : end + 1;
    require<DataError>(used <= longest_header, "{}: the header has no end within {} bytes; the file is damaged", name,
                       longest_header);
    line = trimmed(line);
    if (line.empty()) return fields;  // the empty line, or the end of a detached header
    const std::size_t colon = line.find(':');
    if (first || line[0] == '#' || (colon != std::string_view::npos && line.substr(colon, 2) == ":=")) continue;
    require<DataError>(colon != std::string_view::npos,
                       "{}: the header has the line '{}', expected 'field: value'; the file is damaged", name,
                       line.substr(0, 60));
    std::string key = lower(trimmed(line.substr(0, colon)));
    if (const auto found = other_names.find(key); found != other_names.end()) key = found->second;
    require<DataError>(fields.emplace(key, trimmed(line.substr(colon + 1))).second,
                       "{}: the header has the field '{}' twice; keep one", name, key);
  }
}

const std::string& needed(const Fields& fields, const char* key, const std::string& name) {
  const auto found = fields.find(key);
  require<DataError>(found != fields.end(), "{}: the header lacks the field '{}'; write the file again", name, key);
  return found->second;
}

std::string optional(const Fields& fields, const char* key) {
  const auto found = fields.find(key);
  return found == fields.end() ? "" : found->second;
}

NumberType read_type(const Fields& fields, const std::string& name) {
  using Kind = NumberType::Kind;
  struct Entry {
    std::string_view names;
    NumberType type;
  };
  static const Entry entries[] = {
      {"|signed char|int8|int8_t|", {Kind::integer, 1}},
      {"|uchar|unsigned char|uint8|uint8_t|", {Kind::natural, 1}},
      {"|short|short int|signed short|signed short int|int16|int16_t|", {Kind::integer, 2}},
      {"|ushort|unsigned short|unsigned short int|uint16|uint16_t|", {Kind::natural, 2}},
      {"|int|signed int|int32|int32_t|", {Kind::integer, 4}},
      {"|uint|unsigned int|uint32|uint32_t|", {Kind::natural, 4}},
      {"|longlong|long long|long long int|signed long long|signed long long int|int64|int64_t|", {Kind::integer, 8}},
      {"|ulonglong|unsigned long long|unsigned long long int|uint64|uint64_t|", {Kind::natural, 8}},
      {"|float|", {Kind::real, 4}},
      {"|double|", {Kind::real, 8}}};
  const std::string stored = lower(needed(fields, "type", name));
  for (const Entry& e : entries)
    if (stored.find('|') == std::string::npos && e.names.find("|" + stored + "|") != std::string_view::npos) return e.type;
  fail<DataError>("{}: the type '{}' is not read (integers and real numbers of 8 to 64 bits are); convert the file to float",
                  name, stored);
}

/// "(0.5,0,0)" -> a vector, "none" -> nothing. In a space of two dimensions, as ITK writes planes, "(0.5,0)".
std::optional<Vector> read_vector(const std::string& text, const char* field, const std::string& name) {
  if (lower(text) == "none") return std::nullopt;
  Vector v{};
  std::size_t n = 0;
  std::string_view rest = trimmed(text);
  bool good = rest.size() >= 2 && rest.front() == '(' && rest.back() == ')';
  if (good) rest = rest.substr(1, rest.size() - 2);
  while (good) {
    const std::size_t comma = rest.find(',');
    const auto value = number<double>(rest.substr(0, comma));
    good = value && std::isfinite(*value) && n < 3;
    if (good) v[n++] = *value;
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  require<DataError>(good && (n == 3 || n == 2),
                     "{}: '{}' has the entry {}, expected three finite numbers (a,b,c), two in a plane, or none; repair the "
                     "header",
                     name, field, text);
  return v;
}

/// Signs that turn the file's space to right, anterior, superior.
Vector signs_of_space(const std::string& space, const std::string& name) {
  if (space == "right-anterior-superior" || space == "ras") return {1, 1, 1};
  if (space == "left-anterior-superior" || space == "las") return {-1, 1, 1};
  require<DataError>(space.empty() || space == "left-posterior-superior" || space == "lps",
                     "{}: the space '{}' is not read; give left-posterior-superior, left-anterior-superior or "
                     "right-anterior-superior",
                     name, space);
  return {-1, -1, 1};  // as ITK reads a space without a name
}

double millimetres(const Fields& fields, const std::string& name) {
  static const std::map<std::string, double> known = {
      {"mm", 1},    {"millimeter", 1},    {"millimeters", 1},    {"cm", 10}, {"m", 1000},
      {"um", 1e-3}, {"micrometer", 1e-3}, {"micrometers", 1e-3}, {"", 1}};
  double factor = 1;
  for (const std::string& word : words(optional(fields, "space units"))) {
    const std::string unit = lower(word.size() >= 2 && word[0] == '"' ? word.substr(1, word.size() - 2) : word);
    const auto found = known.find(unit);
    require<DataError>(found != known.end(),
                       "{}: 'space units' has {}, expected \"mm\", \"cm\", \"m\" or \"um\"; repair the header", name, word);
    factor = found->second;
  }
  return factor;
}

struct Axis {
  std::int64_t size = 0;
  bool in_space = true;
  Vector direction{};
};

/// The axes with their directions; false if the header gives no directions.
bool read_axes(const Fields& fields, std::vector<Axis>& axes, const std::string& name) {
  const auto count = [&](const std::vector<std::string>& values, const char* field) {
    require<DataError>(values.size() == axes.size(), "{}: '{}' has {} entries for {} axes; repair the header", name, field,
                       values.size(), axes.size());
  };
  const std::vector<std::string> sizes = words(needed(fields, "sizes", name));
  const auto dimension = number<std::int64_t>(needed(fields, "dimension", name));
  require<DataError>(dimension && *dimension >= 2 && *dimension <= 4,
                     "{}: 'dimension' is {}; planes, volumes and volumes with channels (2 to 4) are read, split the file",
                     name, needed(fields, "dimension", name));
  axes.resize(std::size_t(*dimension));
  count(sizes, "sizes");
  for (std::size_t a = 0; a < axes.size(); ++a) {
    const auto size = number<std::int64_t>(sizes[a]);
    require<DataError>(size && *size >= 1, "{}: 'sizes' has {}, it must be at least 1; the file is damaged", name, sizes[a]);
    axes[a].size = *size;
  }
  if (const auto directions = words(optional(fields, "space directions")); !directions.empty()) {
    count(directions, "space directions");
    for (std::size_t a = 0; a < axes.size(); ++a) {
      const auto v = read_vector(directions[a], "space directions", name);
      axes[a].in_space = v.has_value();
      axes[a].direction = v.value_or(Vector{});
    }
    return true;
  }
  if (const auto kinds = words(optional(fields, "kinds")); !kinds.empty()) {
    count(kinds, "kinds");
    for (std::size_t a = 0; a < axes.size(); ++a)
      axes[a].in_space = lower(kinds[a]) == "domain" || lower(kinds[a]) == "space" || kinds[a] == "???";
  } else if (axes.size() == 4) {
    axes[3].in_space = false;
  }
  const auto spacings = words(optional(fields, "spacings"));
  if (!spacings.empty()) count(spacings, "spacings");
  std::size_t spatial = 0;
  for (std::size_t a = 0; a < axes.size(); ++a) {
    if (!axes[a].in_space || spatial == 3) continue;
    const std::string text = spacings.empty() ? "1" : spacings[a];
    const auto spacing = number<double>(text);
    const bool unknown = spacing && std::isnan(*spacing);  // what a writer puts when it does not know
    require<DataError>(spacing && (unknown || (std::isfinite(*spacing) && *spacing != 0)),
                       "{}: 'spacings' has {}, expected a number that is not 0; repair the header", name, text);
    axes[a].direction[spatial++] = unknown ? 1 : std::abs(*spacing);
  }
  return false;
}

Geometry place(const Fields& fields, const std::vector<Axis>& spatial, bool directed, const std::string& name) {
  Geometry g;
  g.measured = true;
  g.placed = directed;  // spacings alone say how large voxels are, not where they lie
  std::array<Vector, 3> columns{};
  for (std::size_t a = 0; a < spatial.size(); ++a) columns[a] = spatial[a].direction;
  const auto& [x, y, unused] = columns;
  if (spatial.size() == 2) {  // a plane: its normal, one millimetre long
    const Vector n = {x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]};
    const double length = std::hypot(n[0], n[1], n[2]);
    for (std::size_t i = 0; i < 3; ++i) columns[2][i] = length > 0 ? n[i] / length : 0;
  }
  const Vector sign = directed ? signs_of_space(lower(optional(fields, "space")), name) : Vector{1, 1, 1};
  const std::string origin_text = optional(fields, "space origin");
  const Vector origin = origin_text.empty() ? Vector{} : read_vector(origin_text, "space origin", name).value_or(Vector{});
  const double unit = millimetres(fields, name);
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) g.affine[4 * i + j] = sign[i] * columns[j][i] * unit;
    g.affine[4 * i + 3] = sign[i] * origin[i] * unit;
  }
  g.spacing = spacing_of(g.affine);
  require<DataError>(spans_volume(g.affine), "{}: the 'space directions' do not span a volume; repair the header", name);
  return g;
}

std::int64_t read_skip(const Fields& fields, const char* key, std::int64_t lowest, const std::string& name) {
  const std::string text = optional(fields, key);
  const auto value = text.empty() ? std::optional<std::int64_t>(0) : number<std::int64_t>(text);
  require<DataError>(value && *value >= lowest && *value < (std::int64_t(1) << 40), "{}: '{}' is {}; repair the header",
                     name, key, text);
  return *value;
}

}  // namespace

NrrdHeader parse_nrrd_header(std::string_view bytes, const std::string& name) {
  NrrdHeader h;
  const Fields fields = read_fields(bytes, h.bytes, name);
  h.type = read_type(fields, name);
  const std::string encoding = lower(needed(fields, "encoding", name));
  h.gzip = encoding == "gzip" || encoding == "gz";
  require<DataError>(h.gzip || encoding == "raw",
                     "{}: the encoding '{}' is not read; convert it with: unu save -f nrrd -e gzip -i FILE -o NEW.nrrd",
                     name, encoding);
  if (h.type.bytes > 1) {
    const std::string endian = lower(needed(fields, "endian", name));
    require<DataError>(endian == "little" || endian == "big",
                       "{}: 'endian' is '{}', expected little or big; repair the header", name, endian);
    h.type.swapped = (endian == "big") != big_endian_machine();
  }
  std::vector<Axis> axes, spatial;
  const bool directed = read_axes(fields, axes, name);
  std::size_t channel_axis = axes.size();
  for (std::size_t a = 0; a < axes.size(); ++a)
    if (axes[a].in_space) spatial.push_back(axes[a]);
    else channel_axis = a;
  const bool one_channel_axis = spatial.size() + 1 == axes.size() && (channel_axis == 0 || channel_axis + 1 == axes.size());
  require<DataError>(
      (spatial.size() == axes.size() || one_channel_axis) && (spatial.size() == 2 || spatial.size() == 3),
      "{}: of the {} axes {} lie in space; two or three of them, and channels as the first or last axis, are read", name,
      axes.size(), spatial.size());
  h.channels = channel_axis == 0 ? ChannelPlace::fastest : ChannelPlace::slowest;
  h.shape = {spatial.size() == 3 ? spatial[2].size : 1, spatial[1].size, spatial[0].size,
             one_channel_axis ? axes[channel_axis].size : 1};
  h.line_skip = read_skip(fields, "line skip", 0, name);
  h.byte_skip = read_skip(fields, "byte skip", -1, name);
  h.data_file = optional(fields, "data file");
  h.geometry = place(fields, spatial, directed, name);
  return h;
}

}  // namespace sagcl::datasets
