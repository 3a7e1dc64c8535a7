#include "semiagcl/training/tensor_watch.h"

#include <fnmatch.h>

#include <sstream>

#include "datasets/text.h"
#include "engine/error.h"

namespace sagcl::semiagcl {

using engine::require;
using engine::Tensor;
using engine::UsageError;

std::vector<WatchPattern> watch_patterns(const std::string& text) {
  std::vector<WatchPattern> all;
  std::istringstream words(text);
  for (std::string one; std::getline(words, one, ',');) {
    const std::string word = "@every=";
    const std::size_t at = one.find(word);
    WatchPattern pattern{one.substr(0, at)};
    if (at != std::string::npos) pattern.every = datasets::number_in<std::int64_t>(one.substr(at + word.size())).value_or(0);
    require<UsageError>(!pattern.names.empty() && pattern.every >= 1,
                        "'{}': expected names and, if not in every step, how often, e.g. 'enc*/conv:grad@every=50'", one);
    all.push_back(std::move(pattern));
  }
  return all;
}

void TensorWatch::after_forward(const Step& step, const Tensor& y) {
  const std::string name = (step.scope.empty() ? "" : step.scope + "/") + step.op;
  const std::string out = numbered(name, ":out");
  if (step.record >= 0) recorded_[step.record] = out.substr(0, out.rfind(':'));
  keep(out, y);
}

void TensorWatch::before_backward(const Step& step, const Tensor& dy) {
  if (const auto name = recorded_.find(step.record); name != recorded_.end()) keep(name->second + ":grad", dy);
}

std::string TensorWatch::numbered(const std::string& name, const std::string& kind) {
  const int n = ++calls_[name];
  return (n == 1 ? name : fmt::format("{}#{}", name, n)) + kind;
}

void TensorWatch::keep(const std::string& name, const Tensor& value) {
  names.push_back(name);
  if (!value.defined()) return;
  bool fits = false;
  for (const std::string& pattern : patterns_)
    if (::fnmatch(pattern.c_str(), name.c_str(), 0) == 0) fits = true, std::erase(seen.without, pattern);
  if (!fits) return;
  const Tensor host = value.to(engine::Device::cpu());
  seen.tensors.push_back({name, host.shares_memory_with(value) ? host.clone() : host});
}

Tensor TensorWatch::find(const std::string& name) const {
  for (const WatchedTensor& one : seen.tensors)
    if (one.name == name) return one.value;
  return {};
}

}  // namespace sagcl::semiagcl
