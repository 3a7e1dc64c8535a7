#pragma once

namespace sagcl::tools {

/// "0.2.0", and between tags the commit, too: "0.2.0-14-gc6d461e" (cmake/version.cmake).
const char* version();

}  // namespace sagcl::tools
