#include "semiagcl/memory_bank.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace sagcl::semiagcl {

using engine::Device;
using engine::Dtype;
using engine::require;
using engine::Type;
using engine::UsageError;

namespace {
double median(std::vector<double>& v) {
  const std::size_t below = (v.size() - 1) / 2;
  std::nth_element(v.begin(), v.begin() + std::ptrdiff_t(below), v.end());
  const double a = v[below];
  return v.size() % 2 ? a : 0.5 * (a + *std::min_element(v.begin() + std::ptrdiff_t(below) + 1, v.end()));
}
}  // namespace

double next_threshold(double theta, std::vector<double> affinities, const Method& m) {
  if (affinities.empty()) return theta;
  // Departs from the paper: it names a dynamic threshold θ in (0,1) and gives neither value nor rule.
  return std::clamp(m.threshold_decay * theta + (1 - m.threshold_decay) * median(affinities), m.threshold_low,
                    m.threshold_high);
}

MemoryBank::MemoryBank(std::int64_t n_classes, const Method& m, Dtype dtype)
    : m_(m), a_(static_cast<std::size_t>(n_classes)), count_(static_cast<std::size_t>(n_classes), 0),
      next_(static_cast<std::size_t>(n_classes), 0), theta_(m.threshold_start) {
  require<UsageError>(n_classes > 0, "MemoryBank: {} classes", n_classes);
  keys_ = Tensor::zeros({n_classes, m.bank_size, m.projection_dim}, dtype);
  for (auto& row : a_) row.assign(std::size_t(m.bank_size), 0.0);
}

void MemoryBank::push(std::int64_t label, const Tensor& keys, std::span<const double> affinity) {
  const std::int64_t size = keys_.shape()[1], dim = keys_.shape()[2];
  require<UsageError>(label >= 0 && label < n_classes(), "MemoryBank: class {}, there are {}", label, n_classes());
  require(keys.shape().rank() == 2 && keys.shape()[1] == dim && keys.shape()[0] == std::int64_t(affinity.size()),
          "MemoryBank: keys {} with {} affinities, expected [n, {}]", keys.shape(), affinity.size(), dim);
  const Tensor rows = keys.to(Device::cpu()).to(keys_.dtype());
  const auto k = std::size_t(label);
  visit_float(keys_.dtype(), [&]<class T>(Type<T>) {
    for (std::int64_t r = 0; r < rows.shape()[0]; ++r) {
      const T* row = rows.data<T>() + r * dim;
      const double length = std::sqrt(std::inner_product(row, row + dim, row, 0.0));
      require<UsageError>(std::abs(length - 1) < 1e-3, "MemoryBank: key {} of class {} has length {}, keys are unit vectors",
                          r, label, length);
      const double a = affinity[std::size_t(r)];
      require<UsageError>(a >= 0 && a <= 1, "MemoryBank: affinity {} of key {} of class {} is not in [0,1]", a, r, label);
      std::copy_n(row, dim, keys_.data<T>() + (label * size + next_[k]) * dim);
      a_[k][std::size_t(next_[k])] = a;
      next_[k] = (next_[k] + 1) % size;
      count_[k] = std::min(count_[k] + 1, size);
    }
  });
}

std::int64_t MemoryBank::count(std::int64_t label) const {
  require<UsageError>(label >= 0 && label < n_classes(), "MemoryBank: class {}, there are {}", label, n_classes());
  return count_[std::size_t(label)];
}

MemoryBank::Keys MemoryBank::of(std::int64_t label) const {
  count(label);
  return gather({label});
}

MemoryBank::Keys MemoryBank::other_classes(std::int64_t label) const {
  count(label);
  std::vector<std::int64_t> others;
  for (std::int64_t k = 0; k < n_classes(); ++k)
    if (k != label) others.push_back(k);
  return gather(others);
}

MemoryBank::Keys MemoryBank::gather(const std::vector<std::int64_t>& labels) const {
  const std::int64_t size = keys_.shape()[1], dim = keys_.shape()[2];
  std::int64_t total = 0;
  for (std::int64_t k : labels) total += count_[std::size_t(k)];
  Keys out{Tensor::empty({total, dim}, keys_.dtype()), {}};
  const std::size_t bytes = std::size_t(dim) * bytes_of(keys_.dtype());
  char* to = static_cast<char*>(out.keys.bytes_begin());
  const char* from = static_cast<const char*>(keys_.bytes_begin());
  for (std::int64_t label : labels) {
    const auto k = std::size_t(label);
    const std::int64_t oldest = count_[k] < size ? 0 : next_[k];
    for (std::int64_t i = 0; i < count_[k]; ++i) {
      const std::int64_t slot = (oldest + i) % size;
      std::memcpy(to, from + std::size_t(label * size + slot) * bytes, bytes), to += bytes;
      out.affinity.push_back(a_[k][std::size_t(slot)]);
    }
  }
  return out;
}

void MemoryBank::update_threshold() {
  if (!m_.dynamic_threshold) return;
  std::vector<double> all;
  for (std::size_t k = 0; k < a_.size(); ++k) all.insert(all.end(), a_[k].begin(), a_[k].begin() + count_[k]);
  if (all.empty()) return;
  Method rule = m_;
  if (!updated_ && m_.threshold_from_first) rule.threshold_decay = 0;
  theta_ = next_threshold(theta_, std::move(all), rule);
  updated_ = true;
}

std::map<std::string, Tensor> MemoryBank::state() const {
  const std::int64_t K = n_classes(), size = keys_.shape()[1];
  std::vector<double> a;
  for (const auto& row : a_) a.insert(a.end(), row.begin(), row.end());
  const std::vector<std::int32_t> count(count_.begin(), count_.end()), next(next_.begin(), next_.end());
  return {{"keys", keys_.clone()},
          {"affinity", Tensor::of({K, size}, a)},
          {"count", Tensor::of({K}, count)},
          {"next", Tensor::of({K}, next)},
          {"threshold", Tensor::of({2}, std::vector<double>{theta_, updated_ ? 1.0 : 0.0})}};
}

void MemoryBank::load(const std::map<std::string, Tensor>& saved) {
  for (const auto& [name, mine] : state()) {
    auto found = saved.find(name);
    require<UsageError>(found != saved.end(), "MemoryBank: the saved state has no {}", name);
    require<UsageError>(
        found->second.shape() == mine.shape() && found->second.dtype() == mine.dtype(),
        "MemoryBank: saved {} is {} {}, this bank's is {} {}; bank_size, projection_dim and classes must agree", name,
        found->second.dtype(), found->second.shape(), mine.dtype(), mine.shape());
  }
  const std::int64_t size = keys_.shape()[1];
  const auto count = saved.at("count").to_vector<std::int32_t>(), next = saved.at("next").to_vector<std::int32_t>();
  for (std::size_t k = 0; k < count.size(); ++k)
    require<UsageError>(count[k] >= 0 && count[k] <= size && next[k] >= 0 && next[k] < size,
                        "MemoryBank: saved count {} and position {} of class {} do not fit a bank of {}", count[k], next[k],
                        k, size);
  keys_.copy_from(saved.at("keys"));
  const std::vector<double> a = saved.at("affinity").to_doubles(), threshold = saved.at("threshold").to_doubles();
  for (std::size_t k = 0; k < a_.size(); ++k)
    std::copy_n(a.begin() + std::ptrdiff_t(std::int64_t(k) * size), size, a_[k].begin());
  count_.assign(count.begin(), count.end()), next_.assign(next.begin(), next.end());
  theta_ = threshold[0], updated_ = threshold[1] != 0;
}

}  // namespace sagcl::semiagcl
