#pragma once
#include <functional>
#include <string>

namespace sagcl::datasets {

/// Sends bytes from the child to its parent.
using Send = std::function<void(const void* bytes, std::size_t n)>;

/// Gives n bytes that the child sent; false if it ended before.
using Receive = std::function<bool(void* bytes, std::size_t n)>;

/// Runs `child` in a copy of this process and `parent` here beside it, for libraries that a damaged file may bring down. The
/// child may not use the tensors' allocator, whose lock another thread may hold; it ends when `child` returns, fails or has
/// computed for two minutes. Returns what ended it: "" or for example "signal 11". IoError if there can be no child.
std::string in_child_process(const std::function<void(const Send&)>& child,
                             const std::function<void(const Receive&)>& parent);

}  // namespace sagcl::datasets
