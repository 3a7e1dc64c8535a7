#pragma once
#include <string>

namespace sagcl::engine {

/// dlopen() that also finds NVIDIA's libraries where Python's packages keep them: a library that the loader misses is
/// looked for in the folders of SAGCL_CUDA_LIBS (separated by colons), then in lib/python3*/site-packages/nvidia/*/lib of
/// $VIRTUAL_ENV, $CONDA_PREFIX, ~/.local, /opt/conda, /usr/local and /usr, opened from there, and the first one is tried
/// again. nullptr and dlerror()'s text when nothing helps.
void* open_library(const std::string& file, int flags, std::string& error);

}  // namespace sagcl::engine
