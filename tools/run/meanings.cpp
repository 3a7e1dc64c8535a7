#include "tools/run/meanings.h"

#include <map>

namespace sagcl::tools {

std::string meaning_of(const std::string& key) {
  static const std::map<std::string, std::string> meanings = {
#include "meanings.inc"
  };
  const auto found = meanings.find(key);
  return found == meanings.end() ? "" : found->second;
}

}  // namespace sagcl::tools
