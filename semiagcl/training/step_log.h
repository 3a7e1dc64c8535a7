#pragma once
#include <map>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace sagcl::semiagcl {

using engine::Tensor;

/// What a step has to say, as it lies on the device: f32 tensors of one element.
struct StepTensors {
  Tensor loss;
  std::map<std::string, Tensor> terms, observations;
};

/// The same on the host.
struct StepValues {
  double loss = 0;
  std::map<std::string, double> terms = {};  ///< unweighted
  std::map<std::string, double> observations = {};
};

/// Keeps the values of many steps on the device until somebody wants to read them: reading waits for the device. All steps
/// of a log have values of the same names.
class StepLog {
 public:
  static constexpr std::int64_t capacity = 64;
  explicit StepLog(engine::Device device) : device_(device) {}

  void write(const StepTensors& step);  ///< work for the device that may be recorded: always to the same place
  StepValues written() const;           ///< what was written last; waits
  void keep();                          ///< what was written last is one of the values that read() gives
  std::vector<StepValues> read();       ///< all that were kept, in order, and forgets them; waits

 private:
  StepValues values(const float* row) const;
  engine::Device device_;
  std::vector<std::string> terms_, observations_;  ///< names, in order behind the loss
  Tensor row_, rows_;                              ///< [values], [capacity, values]
  std::int64_t kept_ = 0;
};

}  // namespace sagcl::semiagcl
