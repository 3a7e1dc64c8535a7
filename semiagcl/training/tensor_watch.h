#pragma once
#include <map>
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "datasets/batches.h"
#include "engine/show.h"

namespace sagcl::semiagcl {

/// Which tensors of a step somebody wants to see, and how often: "decoder*/conv:grad@every=50". `*` stands for anything,
/// `?` for one character, as in a shell.
struct WatchPattern {
  std::string names;
  std::int64_t every = 1;  ///< steps
};
/// Patterns between commas. UsageError for one that is empty or asks for no whole number of steps.
std::vector<WatchPattern> watch_patterns(const std::string& text);

/// One tensor of a step.
struct WatchedTensor {
  std::string name;
  engine::Tensor value;  ///< on the host
};

/// What was seen of a step, and the patterns that nothing fitted.
struct Watched {
  std::vector<WatchedTensor> tensors;
  std::vector<std::string> without;
};

/// Keeps the tensors of a step whose names fit one of the patterns, in the order in which they come:
///
///   enc0.0/conv:out, enc0.0/conv:grad   what an operation gave, and the gradient of the loss in it
///   enc0.0.conv.w:value, …:grad         a trained parameter and its gradient; the teacher's is teacher/enc0.0.conv.w:value
///   A, C, pseudo_labels, student.logits what the method shows (engine/show.h)
///
/// The second of one name is called enc0.0/conv#2:out.
class TensorWatch final : public autograd::Observer, public engine::ShowListener {
 public:
  explicit TensorWatch(std::vector<std::string> patterns) : patterns_(std::move(patterns)) { seen.without = patterns_; }
  void after_forward(const Step& step, const engine::Tensor& y) override;
  void before_backward(const Step& step, const engine::Tensor& dy) override;
  void shown(const char* name, const engine::Tensor& value) override { keep(numbered(name, ""), value); }
  /// Keeps it if its name fits.
  void keep(const std::string& name, const engine::Tensor& value);

  /// The first of this name, or undefined.
  engine::Tensor find(const std::string& name) const;

  datasets::Batch batch;           ///< of the step, set by the trainer
  Watched seen;                    ///< `without` shrinks from all patterns
  std::vector<std::string> names;  ///< of all tensors, whether they fit or not

 private:
  std::string numbered(const std::string& name, const std::string& kind);
  std::vector<std::string> patterns_;
  std::map<std::string, int> calls_;
  std::map<std::int64_t, std::string> recorded_;  // names by position on the tape
};

}  // namespace sagcl::semiagcl
