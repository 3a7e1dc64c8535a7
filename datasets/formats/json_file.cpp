#include "datasets/formats/json_file.inl"

#include <set>
#include <string_view>
#include <vector>

#include "engine/error.h"
#include "engine/files/read_file.h"

namespace sagcl::datasets {

using engine::DataError;
using engine::fail;
using engine::require;

namespace {
constexpr std::size_t max_json_bytes = std::size_t(64) << 20;
constexpr int max_json_depth = 16;
}  // namespace

Json parse_json(std::string_view text, const std::string& name) {
  require<DataError>(text.size() <= max_json_bytes, "{}: has {} bytes of JSON, at most {} are read", name, text.size(),
                     max_json_bytes);
  std::vector<std::set<std::string>> open_objects;
  std::string twice;
  bool too_deep = false;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    too_deep = too_deep || depth > max_json_depth;
    require<DataError>(!too_deep, "{}: the JSON is nested more than {} levels deep", name, max_json_depth);
    if (event == Json::parse_event_t::object_start) open_objects.emplace_back();
    if (event == Json::parse_event_t::object_end) open_objects.pop_back();
    if (event == Json::parse_event_t::key && !open_objects.back().insert(parsed.get<std::string>()).second)
      twice = parsed.get<std::string>();
    return true;
  };
  Json json;
  try {
    json = Json::parse(text, watch);
  } catch (const Json::exception& e) { fail<DataError>("{}: is not valid JSON: {}", name, e.what()); }
  require<DataError>(twice.empty(), "{}: the JSON names '{}' twice in one object; keep one of them", name, twice);
  require<DataError>(json.is_object(), "{}: the JSON must be an object {{...}}", name);
  return json;
}

Json read_json(const std::filesystem::path& file) {
  return parse_json(engine::read_file(file, max_json_bytes), file.string());
}

std::string text_at(const Json& object, const char* key, const std::string& otherwise, const std::string& name) {
  const auto found = object.find(key);
  if (found == object.end()) return otherwise;
  require<DataError>(found->is_string(), "{}: '{}' must be text, it is {}", name, key, found->dump());
  return found->get<std::string>();
}

std::int64_t integer_at(const Json& object, const char* key, std::int64_t otherwise, const std::string& name) {
  const auto found = object.find(key);
  if (found == object.end()) return otherwise;
  const bool fits =
      found->is_number_integer() && (!found->is_number_unsigned() || found->get<std::uint64_t>() < (std::uint64_t(1) << 63));
  require<DataError>(fits, "{}: '{}' must be a whole number, it is {}", name, key, found->dump());
  return found->get<std::int64_t>();
}

}  // namespace sagcl::datasets
