#include "semiagcl/training/tensor_hashes.h"

#include <fmt/format.h>

#include <iterator>

#include "engine/hash.h"

namespace sagcl::semiagcl {

std::string hash_of(const engine::Tensor& t) {
  const engine::Tensor host = t.to(engine::Device::cpu());
  return fmt::format("{:016x}", engine::hash({static_cast<const char*>(host.bytes_begin()), host.bytes()}));
}

void add_hashes(TensorHashes& hashes, const datasets::Batch& batch) {
  static constexpr const char* names[] = {"weak", "strong", "label", "mask", "distance"};
  const std::string shard = batch.shard == 0 ? "batch" : fmt::format("batch#{}", batch.shard);
  for (std::size_t i = 0; i < std::size(names); ++i)
    if (const engine::Tensor& t = batch.*datasets::Batch::tensors[i]; t.defined())
      hashes.emplace_back(fmt::format("{}/{}", shard, names[i]), hash_of(t));
}

}  // namespace sagcl::semiagcl
