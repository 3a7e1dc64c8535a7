#include "semiagcl/training/shards.h"

#include <algorithm>
#include <cstring>

#include "engine/files/safetensors.h"

namespace sagcl::semiagcl {

using engine::Device;
using engine::TensorFile;

namespace {

Tensor host_copy(const Tensor& t) { return t.device() == Device::cpu() ? t.clone() : t.to(Device::cpu()); }

/// A report as it travels between processes.
std::string packed(const ShardReport& report) {
  TensorFile file;
  const auto number = [](double value) { return Tensor::full({1}, value, engine::Dtype::f64); };
  file.tensors["loss"] = number(report.values.loss);
  for (const auto& [name, value] : report.values.terms) file.tensors["term/" + name] = number(value);
  file.notes["found"] = std::to_string(report.found.tensors().size());
  for (std::size_t i = 0; i < report.found.tensors().size(); ++i)
    if (report.found.tensors()[i].defined()) file.tensors[fmt::format("found/{}", i)] = report.found.tensors()[i];
  for (std::size_t i = 0; i < report.statistics.size(); ++i)
    file.tensors[fmt::format("statistics/{:06}", i)] = report.statistics[i];
  if (!report.failure.empty()) file.notes["failure"] = report.failure;
  return engine::safetensors_bytes(file);
}

ShardReport unpacked(const std::string& bytes, int rank) {
  ShardReport report;
  const TensorFile file = engine::parse_safetensors(bytes, fmt::format("the report of process {}", rank));
  report.found.tensors().resize(std::stoul(file.notes.at("found")));
  for (const auto& [name, t] : file.tensors) {  // sorted by name, so statistics come in order
    const std::string rest = name.substr(name.find('/') + 1);
    if (name == "loss") report.values.loss = t.item();
    else if (name.starts_with("term/")) report.values.terms[rest] = t.item();
    else if (name.starts_with("found/")) report.found.tensors().at(std::stoul(rest)) = t;
    else report.statistics.push_back(t);
  }
  if (file.notes.count("failure")) report.failure = file.notes.at("failure");
  return report;
}

/// 64-bit FNV-1a over words of eight bytes.
std::uint64_t fingerprint(std::uint64_t hash, const Tensor& t) {
  const Tensor host = t.to(Device::cpu());
  const char* bytes = static_cast<const char*>(host.bytes_begin());
  for (std::size_t i = 0; i < host.bytes(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes + i, std::min<std::size_t>(8, host.bytes() - i));
    hash = (hash ^ word) * 0x100000001b3u;
    hash ^= hash >> 32;  // so that high bits reach the low ones
  }
  return hash;
}

}  // namespace

ShardAverage::ShardAverage(engine::Communicator& ranks, std::int64_t shards, const NamedModules& modules,
                           const layers::NamedParameters& parameters)
    : ranks_(ranks), shards_(shards), parameters_(parameters) {
  for (const auto& [prefix, module] : modules)
    for (auto& [name, buffer] : layers::buffers_in_order(*module)) statistics_.push_back(buffer);
  for (const Tensor* buffer : statistics_) before_.push_back(host_copy(*buffer));
}

void ShardAverage::begin() {
  for (std::size_t i = 0; i < statistics_.size(); ++i) statistics_[i]->copy_from(before_[i]);
}

void ShardAverage::end(ShardReport report, const layers::NamedGradients& gradients) {
  std::vector<Tensor> list;
  for (const auto& [name, parameter] : parameters_) {
    const auto found = gradients.find(name);  // a shard that failed has none
    list.push_back(found == gradients.end() ? Tensor::zeros_like(parameter->value()) : found->second.clone());
  }
  sum_.add(std::move(list));
  for (const Tensor* buffer : statistics_) report.statistics.push_back(host_copy(*buffer));
  own_.push_back(std::move(report));
}

std::vector<ShardReport> ShardAverage::finish() {
  const std::vector<ShardReport> reports = exchange();
  const std::vector<Tensor> sum = sum_.take();
  engine::sum_over_processes(ranks_, sum);
  auto gradient = sum.begin();
  for (const auto& [name, parameter] : parameters_) gradients_[name] = *gradient++;
  average_statistics(reports);
  return reports;
}

/// Reports of all shards, in order: every process has a consecutive share of them.
std::vector<ShardReport> ShardAverage::exchange() {
  if (ranks_.size() == 1) return own_;
  std::vector<ShardReport> all(own_.size() * std::size_t(ranks_.size()));
  for (std::size_t i = 0; i < own_.size(); ++i) {
    const std::vector<std::string> texts = engine::gather(ranks_, packed(own_[i]));
    for (std::size_t r = 0; r < texts.size(); ++r) all[r * own_.size() + i] = unpacked(texts[r], int(r));
  }
  return all;
}

void ShardAverage::average_statistics(const std::vector<ShardReport>& reports) {
  for (std::size_t i = 0; i < statistics_.size(); ++i) {
    std::vector<double> mean(std::size_t(statistics_[i]->size()), 0.0);
    for (const ShardReport& report : reports) {
      const std::vector<double> values = report.statistics[i].to_doubles();
      for (std::size_t c = 0; c < mean.size(); ++c) mean[c] += values[c] / double(shards_);
    }
    statistics_[i]->copy_from(Tensor::of(statistics_[i]->shape(), mean).to(statistics_[i]->dtype()));
  }
}

void require_equal_weights(engine::Communicator& ranks, const NamedModules& modules, std::int64_t step) {
  if (ranks.size() == 1) return;
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const auto& [prefix, module] : modules) {
    for (auto& [name, parameter] : layers::parameters_in_order(*module)) hash = fingerprint(hash, parameter->value());
    for (auto& [name, buffer] : layers::buffers_in_order(*module)) hash = fingerprint(hash, *buffer);
  }
  const std::vector<std::string> all = engine::gather(ranks, fmt::format("{:016x}", hash));
  for (std::size_t r = 1; r < all.size(); ++r)
    engine::require<engine::UsageError>(
        all[r] == all[0],
        "after {} steps the weights of process {} (hash {}) differ from those of process 0 (hash {}): start "
        "all with the same program on machines of the same kind, and continue with --resume",
        step, r, all[r], all[0]);
}

}  // namespace sagcl::semiagcl
