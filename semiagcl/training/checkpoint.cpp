#include "semiagcl/training/checkpoint.h"

#include <cmath>

#include "datasets/text.h"

namespace sagcl::semiagcl::checkpoint {

using engine::require;
using engine::Tensor;
using engine::TensorFile;

void store(const Position& position, TensorFile& content) {
  content.notes["step"] = std::to_string(position.step);
  content.notes["attempt"] = std::to_string(position.attempt);
}

Position position_of(const TensorFile& content, const std::string& source) {
  const auto number = [&](const char* name) {
    const auto found = content.notes.find(name);
    require<engine::DataError>(found != content.notes.end(), "{}: is not a checkpoint of a run: it has no note '{}'", source,
                               name);
    const auto value = datasets::number_in<std::int64_t>(found->second);
    require<engine::DataError>(value.has_value(), "{}: note '{}' = '{}' is not a whole number", source, name, found->second);
    return *value;
  };
  return {number("step"), number("attempt")};
}

bool is_one(const TensorFile& content) { return content.notes.count("step") > 0; }

void store(const std::map<std::string, Tensor>& state, const char* prefix, TensorFile& content) {
  for (const auto& [name, t] : state) content.tensors[prefix + name] = t.to(engine::Device::cpu());
}

std::map<std::string, Tensor> state_of(const TensorFile& content, const char* prefix) {
  std::map<std::string, Tensor> state;
  const std::string begin = prefix;
  for (const auto& [name, t] : content.tensors)
    if (name.starts_with(begin)) state[name.substr(begin.size())] = t;
  return state;
}

void require_finite(const TensorFile& content, const std::string& prefix, std::int64_t step) {
  for (const auto& [name, t] : content.tensors) {
    if (!name.starts_with(prefix)) continue;
    for (double v : t.to_doubles())
      require<engine::NonFiniteError>(std::isfinite(v), "step {}: the weight {} is not finite; no checkpoint is written",
                                      step, name);
  }
}

}  // namespace sagcl::semiagcl::checkpoint
