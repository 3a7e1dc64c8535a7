#include "layers/module.h"

namespace sagcl::layers {
namespace {

using engine::require;
using engine::UsageError;

/// Collects every part under its dotted name.
class Collect final : public Parts {
 public:
  std::vector<std::pair<std::string, Variable*>> parameters;
  std::vector<std::pair<std::string, Tensor*>> buffers;

  void parameter(const std::string& name, Variable& p) override { parameters.emplace_back(prefix_ + name, &p); }
  void buffer(const std::string& name, Tensor& b) override { buffers.emplace_back(prefix_ + name, &b); }
  void child(const std::string& name, Module& m) override {
    const std::size_t outer = prefix_.size();
    prefix_ += name + '.';
    m.describe(*this);
    prefix_.resize(outer);
  }

 private:
  std::string prefix_;
};

Collect collect(Module& m) {
  Collect c;
  m.describe(c);
  return c;
}

}  // namespace

std::vector<std::pair<std::string, Variable*>> parameters_in_order(Module& m) { return collect(m).parameters; }
std::vector<std::pair<std::string, Tensor*>> buffers_in_order(Module& m) { return collect(m).buffers; }

std::map<std::string, Variable*> parameters_of(Module& m) {
  const auto all = collect(m).parameters;
  return {all.begin(), all.end()};
}

std::map<std::string, Tensor*> buffers_of(Module& m) {
  const auto all = collect(m).buffers;
  return {all.begin(), all.end()};
}

Frozen::Frozen(Module& m) {
  for (const auto& [name, p] : parameters_in_order(m)) {
    trained_.emplace_back(p, *p);
    *p = p->detach();
  }
}

Frozen::~Frozen() {
  for (auto& [place, parameter] : trained_) *place = parameter;
}

KeptBuffers::KeptBuffers(Module& m) {
  for (const auto& [name, b] : buffers_in_order(m)) kept_.emplace_back(b, b->clone());
}

void KeptBuffers::restore() {
  for (auto& [place, copy] : kept_) place->copy_from(copy);
}

std::int64_t count_parameters(Module& m) {
  std::int64_t n = 0;
  for (auto& [name, p] : parameters_in_order(m)) n += p->value().size();
  return n;
}

void copy_weights(Module& from, Module& to) {
  const Collect a = collect(from), b = collect(to);
  require<UsageError>(a.parameters.size() == b.parameters.size() && a.buffers.size() == b.buffers.size(),
                      "copy_weights: {} parameters and {} buffers into {} and {}", a.parameters.size(), a.buffers.size(),
                      b.parameters.size(), b.buffers.size());
  for (std::size_t i = 0; i < a.parameters.size(); ++i) {
    require<UsageError>(a.parameters[i].first == b.parameters[i].first, "copy_weights: {} into {}", a.parameters[i].first,
                        b.parameters[i].first);
    b.parameters[i].second->value_for_update().copy_from(a.parameters[i].second->value());
  }
  for (std::size_t i = 0; i < a.buffers.size(); ++i) b.buffers[i].second->copy_from(*a.buffers[i].second);
}

void move_to(Module& m, engine::Device device) {
  for (auto& [name, p] : parameters_in_order(m)) *p = Variable::parameter(p->value().to(device));
  for (auto& [name, b] : buffers_in_order(m)) *b = b->to(device);
}

void convert_to(Module& m, engine::Dtype dtype) {
  for (auto& [name, p] : parameters_in_order(m)) *p = Variable::parameter(p->value().to(dtype));
  for (auto& [name, b] : buffers_in_order(m)) *b = b->to(dtype);
}

std::string summary(Module& m) {
  std::string text;
  for (auto& [name, p] : parameters_in_order(m))
    text += fmt::format("{:<28} {:<22} {:>10}\n", name, engine::to_string(p->shape()), p->value().size());
  return text + fmt::format("{:<28} {:<22} {:>10}\n", "total", "", count_parameters(m));
}

}  // namespace sagcl::layers
