#pragma once
#include <cstdint>
#include <string_view>

namespace sagcl::engine {

/// 64-bit FNV-1a: turns bytes into a number, the same everywhere. Against accidents, not against people.
inline std::uint64_t hash(std::string_view bytes) {
  std::uint64_t h = 0xcbf29ce484222325u;
  for (unsigned char c : bytes) h = (h ^ c) * 0x100000001b3u;
  return h;
}

}  // namespace sagcl::engine
