#include "semiagcl/memory_bank.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/gather.h"
#include "ops/layout.h"
#include "ops/selection.h"

namespace sagcl::semiagcl {

using autograd::Variable;
using engine::Device;
using engine::Dtype;
using engine::require;
using engine::UsageError;

MemoryBank::MemoryBank(std::int64_t n_classes, const Method& m, Device device, Dtype dtype) : m_(m) {
  require<UsageError>(n_classes > 0, "MemoryBank: {} classes", n_classes);
  ring_ = {.keys = Tensor::zeros({n_classes, m.bank_size, m.projection_dim}, dtype, device),
           .affinity = Tensor::full({n_classes, m.bank_size}, NAN, dtype, device),
           .count = Tensor::zeros({n_classes}, Dtype::i32, device),
           .next = Tensor::zeros({n_classes}, Dtype::i32, device)};
  threshold_ = Tensor::of({2}, std::vector<double>{m.threshold_start, 0}).to(dtype).to(device);
}

namespace {

/// Reads what store() is about to keep.
void check_keys(const Tensor& keys, const Picks& picks, const Tensor& affinity) {
  const std::int64_t K = picks.patch.shape()[0], n = picks.patch.shape()[1], dim = keys.shape()[1];
  const std::vector<double> row = keys.to_doubles(), a = affinity.to_doubles();
  for (std::int64_t k = 0; k < K; ++k)
    for (std::int64_t i = 0; i < picks.counted.data<std::int32_t>()[k]; ++i) {
      const double* key = row.data() + (k * n + i) * dim;
      const double length = std::sqrt(std::inner_product(key, key + dim, key, 0.0));
      require<UsageError>(std::abs(length - 1) < 1e-3, "MemoryBank: key {} of class {} has length {}, keys are unit vectors",
                          i, k, length);
      const std::int64_t patch = picks.patch.data<std::int32_t>()[k * n + i];
      require<UsageError>(patch >= 0 && patch < affinity.size(), "MemoryBank: patch {} has no affinity, there are {}", patch,
                          affinity.size());
      const double of_patch = a[std::size_t(patch)];
      require<UsageError>(of_patch >= 0 && of_patch <= 1, "MemoryBank: affinity {} of patch {} is not in [0,1]", of_patch,
                          patch);
    }
}

}  // namespace

void MemoryBank::store(const Tensor& keys, const Picks& picks, const Tensor& affinity, const Tensor& gate) {
  const engine::Shape &all = ring_.keys.shape(), &p = picks.patch.shape();
  require(p.rank() == 2 && p[0] == all[0] && picks.counted.shape() == engine::Shape{all[0]},
          "MemoryBank: picks {} and counted {}, expected [{}, n] and [{}]", p, picks.counted.shape(), all[0], all[0]);
  require(keys.shape() == engine::Shape{picks.patch.size(), all[2]} && affinity.shape().rank() == 1,
          "MemoryBank: keys {} with affinities {}, expected [{}, {}] and [patches]", keys.shape(), affinity.shape(),
          picks.patch.size(), all[2]);
  require<engine::DtypeError>(keys.dtype() == ring_.keys.dtype() && affinity.dtype() == ring_.keys.dtype(),
                              "MemoryBank: keys {} and affinities {} for a bank of {}", keys.dtype(), affinity.dtype(),
                              ring_.keys.dtype());
  if (keys.device().is_cpu() && !(gate.defined() && gate.item() == 0)) check_keys(keys, picks, affinity);
  paper_backend(keys.device()).store_keys(keys, picks.patch, picks.counted, affinity, gate, ring_);
}

void MemoryBank::update_threshold(const Tensor& gate) {
  if (!m_.dynamic_threshold) return;
  const Tensor median = ops::quantiles(ring_.affinity.reshape({1, ring_.affinity.size()}), {0.5});
  // Departs from the paper: it names a dynamic threshold θ in (0,1) and gives neither value nor rule.
  paper_backend(threshold_.device())
      .move_threshold(m_.threshold_decay, m_.threshold_from_first, m_.threshold_low, m_.threshold_high, median.reshape({1}),
                      gate, threshold_);
}

Tensor MemoryBank::theta() const { return ops::slice(Variable(threshold_), 0, 0, 1).value(); }

Tensor MemoryBank::other_classes(std::int64_t n) const {
  Tensor mask = Tensor::empty({ring_.keys.shape()[0] * n, ring_.affinity.size()}, ring_.keys.dtype(), ring_.keys.device());
  paper_backend(mask.device()).other_classes(ring_, mask);
  return mask;
}

std::int64_t MemoryBank::count(std::int64_t label) const {
  require<UsageError>(label >= 0 && label < ring_.count.size(), "MemoryBank: class {}, there are {}", label,
                      ring_.count.size());
  return ring_.count.to_vector<std::int32_t>()[std::size_t(label)];
}

MemoryBank::Keys MemoryBank::of(std::int64_t label) const {
  const std::int64_t size = ring_.keys.shape()[1], held = count(label);
  const std::int64_t next = ring_.next.to_vector<std::int32_t>()[std::size_t(label)];
  std::vector<std::int32_t> slots;
  for (std::int64_t i = 0; i < held; ++i) slots.push_back(std::int32_t(label * size + (next - held + i + size) % size));
  const auto rows = [&](const Tensor& all) {
    return ops::gather(Variable(all.to(Device::cpu())), Tensor::of({held}, slots)).value();
  };
  return {rows(ring_.keys.reshape({ring_.affinity.size(), ring_.keys.shape()[2]})),
          rows(ring_.affinity.reshape({ring_.affinity.size()})).to_doubles()};
}

std::map<std::string, Tensor> MemoryBank::parts() const {
  return {{"keys", ring_.keys},
          {"affinity", ring_.affinity},
          {"count", ring_.count},
          {"next", ring_.next},
          {"threshold", threshold_}};
}

std::map<std::string, Tensor> MemoryBank::state() const {
  std::map<std::string, Tensor> copies;
  for (const auto& [name, part] : parts()) copies[name] = part.clone().to(Device::cpu());
  return copies;
}

void MemoryBank::load(const std::map<std::string, Tensor>& saved) {
  for (const auto& [name, part] : parts()) {
    auto found = saved.find(name);
    require<engine::DataError>(found != saved.end(), "MemoryBank: the saved state has no {}", name);
    require<engine::DataError>(
        found->second.shape() == part.shape(),
        "MemoryBank: saved {} is {}, this bank's is {}; bank_size, projection_dim and classes must agree", name,
        found->second.shape(), part.shape());
  }
  const std::int64_t size = ring_.keys.shape()[1];
  const auto count = saved.at("count").to_vector<std::int32_t>(), next = saved.at("next").to_vector<std::int32_t>();
  std::vector<double> affinity = saved.at("affinity").to_doubles();
  for (std::size_t k = 0; k < count.size(); ++k) {
    require<engine::DataError>(count[k] >= 0 && count[k] <= size && next[k] >= 0 && next[k] < size,
                               "MemoryBank: saved count {} and position {} of class {} do not fit a bank of {}", count[k],
                               next[k], k, size);
    const auto begin = affinity.begin() + std::ptrdiff_t(std::int64_t(k) * size);
    std::fill(begin + count[k], begin + size, NAN);  // older files hold 0 in slots that were never filled
  }
  for (auto [name, part] : parts())
    part.copy_from((name == "affinity" ? Tensor::of(part.shape(), affinity) : saved.at(name)).to(part.dtype()));
}

void MemoryBank::convert_to(engine::Dtype dtype) {
  for (Tensor* part : {&ring_.keys, &ring_.affinity, &threshold_}) *part = part->to(dtype);
}

}  // namespace sagcl::semiagcl
