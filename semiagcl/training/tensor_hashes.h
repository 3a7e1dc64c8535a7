#pragma once
#include <string>
#include <utility>
#include <vector>

#include "datasets/batches.h"
#include "engine/tensor.h"

namespace sagcl::semiagcl {

/// Names of tensors and 16 hexadecimal digits that depend on every bit of each: two runs on two machines differ where these
/// do. In the order of a step: what went in, what came of it.
using TensorHashes = std::vector<std::pair<std::string, std::string>>;

/// engine::hash of the bytes, made on the host.
std::string hash_of(const engine::Tensor& t);

/// "batch/weak", "batch/strong", "batch/label", … of what is there; "batch#2/weak" of another shard than the first.
void add_hashes(TensorHashes& hashes, const datasets::Batch& batch);

}  // namespace sagcl::semiagcl
