#include "engine/processes/pairwise_sum.h"

#include <bit>
#include <span>
#include <utility>

#include "engine/devices/device_registry.h"
#include "engine/devices/device_runtime.h"
#include "engine/error.h"

namespace sagcl::engine {
namespace {

constexpr std::int64_t bucket_elements = 4 << 20;

void add_each(const std::vector<Tensor>& sum, const std::vector<Tensor>& term) {
  require(sum.size() == term.size(), "PairwiseSum: lists of {} and {} tensors", sum.size(), term.size());
  for (std::size_t i = 0; i < sum.size(); ++i) {
    require(sum[i].shape() == term[i].shape(), "PairwiseSum: shapes {} and {}", sum[i].shape(), term[i].shape());
    runtime(sum[i].device()).add_into(sum[i].bytes_begin(), term[i].bytes_begin(), sum[i].dtype(), sum[i].size());
  }
}

/// One bucket: n elements in all, of one type and on one device.
void sum_bucket(Communicator& ranks, std::span<const Tensor> tensors, std::int64_t n) {
  const Dtype dtype = tensors[0].dtype();
  const Device device = tensors[0].device();
  DeviceRuntime& memory = runtime(device);
  const std::int64_t size = ranks.size(), part = (n + size - 1) / size;
  const std::size_t part_bytes = std::size_t(part) * bytes_of(dtype);
  const Tensor mine = Tensor::zeros({size * part}, dtype, device), theirs = Tensor::empty_like(mine);
  const auto part_of = [&](const Tensor& t, std::int64_t r) {
    return static_cast<char*>(t.bytes_begin()) + std::size_t(r) * part_bytes;
  };

  char* at = part_of(mine, 0);
  for (const Tensor& t : tensors) memory.copy_within(at, t.bytes_begin(), t.bytes()), at += t.bytes();
  ranks.all_to_all(mine.bytes_begin(), theirs.bytes_begin(), part_bytes, device);
  for (std::int64_t stride = 1; stride < size; stride *= 2)
    for (std::int64_t r = 0; r < size; r += 2 * stride)
      memory.add_into(part_of(theirs, r), part_of(theirs, r + stride), dtype, part);
  memory.copy_within(part_of(mine, ranks.rank()), part_of(theirs, 0), part_bytes);
  ranks.all_gather(mine.bytes_begin(), part_bytes, device);
  at = part_of(mine, 0);
  for (const Tensor& t : tensors) memory.copy_within(t.bytes_begin(), at, t.bytes()), at += t.bytes();
}

}  // namespace

void PairwiseSum::add(std::vector<Tensor> list) {
  for (std::uint64_t n = count_++; n & 1; n >>= 1) {  // as a binary counter carries
    add_each(partial_.back(), list);
    list = std::move(partial_.back());
    partial_.pop_back();
  }
  for (Tensor& t : list)
    if (!t.sole_owner()) t = t.clone();
  partial_.push_back(std::move(list));
}

std::vector<Tensor> PairwiseSum::take() {
  require<UsageError>(partial_.size() == 1, "PairwiseSum: {} lists were added; their number must be a power of two", count_);
  count_ = 0;
  std::vector<Tensor> sum = std::move(partial_.back());
  partial_.clear();
  return sum;
}

void sum_over_processes(Communicator& ranks, const std::vector<Tensor>& tensors) {
  if (ranks.size() == 1) return;
  require<UsageError>(std::has_single_bit(unsigned(ranks.size())),
                      "sum over {} processes: their number must be a power of two", ranks.size());
  for (std::size_t begin = 0, end; begin < tensors.size(); begin = end) {
    const Tensor& first = tensors[begin];
    std::int64_t n = first.size();
    const auto fits = [&](const Tensor& t) {
      return t.dtype() == first.dtype() && t.device() == first.device() && n + t.size() <= bucket_elements;
    };
    for (end = begin + 1; end < tensors.size() && fits(tensors[end]); ++end) n += tensors[end].size();
    sum_bucket(ranks, std::span(tensors).subspan(begin, end - begin), n);
  }
}

}  // namespace sagcl::engine
