#include "semiagcl/training/step_log.h"

#include "engine/devices/device_registry.h"

namespace sagcl::semiagcl {

void StepLog::write(const StepTensors& step) {
  if (!row_.defined()) {
    for (const auto& [name, t] : step.terms) terms_.push_back(name);
    for (const auto& [name, t] : step.observations) observations_.push_back(name);
    row_ = Tensor::empty({std::int64_t(1 + terms_.size() + observations_.size())}, engine::Dtype::f32, device_);
  }
  float* to = row_.data<float>();
  const auto add = [&](const Tensor& t) { engine::runtime(device_).copy_within(to++, t.data<float>(), sizeof(float)); };
  add(step.loss);
  for (const std::string& name : terms_) add(step.terms.at(name));
  for (const std::string& name : observations_) add(step.observations.at(name));
}

StepValues StepLog::values(const float* row) const {
  StepValues all{.loss = *row++};
  for (const std::string& name : terms_) all.terms[name] = *row++;
  for (const std::string& name : observations_) all.observations[name] = *row++;
  return all;
}

StepValues StepLog::written() const { return values(row_.to_vector<float>().data()); }

void StepLog::keep() {
  engine::require<engine::UsageError>(kept_ < capacity, "StepLog: {} steps are kept, nobody has read them", kept_);
  if (!rows_.defined()) rows_ = Tensor::empty({capacity, row_.size()}, row_.dtype(), device_);
  engine::runtime(device_).copy_within(rows_.data<float>() + kept_++ * row_.size(), row_.bytes_begin(), row_.bytes());
}

std::vector<StepValues> StepLog::read() {
  std::vector<StepValues> all;
  if (kept_ == 0) return all;
  const std::vector<float> rows = rows_.to_vector<float>();
  for (std::int64_t i = 0; i < kept_; ++i) all.push_back(values(rows.data() + i * row_.size()));
  kept_ = 0;
  return all;
}

}  // namespace sagcl::semiagcl
