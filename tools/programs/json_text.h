#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace sagcl::tools {

/// JSON as text; -1: on one line. Text in it may come from a file's name or the system and hold bytes that are no UTF-8,
/// which JSON cannot have: each becomes U+FFFD.
template <class Json>
std::string json_text(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace sagcl::tools
