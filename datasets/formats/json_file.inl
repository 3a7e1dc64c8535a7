#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

// Included by the .cpp files of this floor that read JSON, and by nothing else: hence no .h.
namespace sagcl::datasets {

using Json = nlohmann::ordered_json;

/// Parses untrusted JSON: at most 64 MiB, at most 16 levels deep, no name twice in an object, the outermost value an object.
/// DataError names the file and, for a syntax error, the place.
Json parse_json(std::string_view text, const std::string& name);
Json read_json(const std::filesystem::path& file);

/// The text at `key`, or `otherwise` when the key is absent; a value of another type is a DataError. And whole numbers.
std::string text_at(const Json& object, const char* key, const std::string& otherwise, const std::string& name);
std::int64_t integer_at(const Json& object, const char* key, std::int64_t otherwise, const std::string& name);

}  // namespace sagcl::datasets
