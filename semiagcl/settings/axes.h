#pragma once
#include <array>
#include <string>
#include <vector>

#include "engine/error.h"

namespace sagcl::semiagcl {

/// Which of the axes D, H, W a setting names. UsageError, beginning with `key`, for another word.
inline std::array<bool, 3> axes_named(const std::vector<std::string>& words, const char* key) {
  std::array<bool, 3> named = {false, false, false};
  for (const std::string& word : words) {
    const std::size_t a = std::string("DHW").find(word);
    engine::require<engine::UsageError>(word.size() == 1 && a != std::string::npos, "{}: '{}' is not one of D, H, W", key,
                                        word);
    named[a] = true;
  }
  return named;
}

}  // namespace sagcl::semiagcl
