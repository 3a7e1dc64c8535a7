#pragma once
#include <string>

namespace sagcl::tools {

/// What a setting means, in the words beside it in semiagcl/settings/*.h, from which the build takes them (meanings.awk);
/// empty for an unknown key.
std::string meaning_of(const std::string& key);

}  // namespace sagcl::tools
