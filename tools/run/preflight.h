#pragma once
#include <filesystem>
#include <optional>

#include "tools/run/held_out.h"

namespace sagcl::tools {

/// A held-out case and what the network makes of it before it has learnt anything; of no use but to see that it can be done.
struct Trial {
  datasets::Sample sample;
  engine::Tensor prediction;  ///< u8 [D, H, W]
};

/// Looks before the first step at what a run needs only later:
/// * reads every validation and test case. What the readers refuse ends the run here, all cases in one message (DataError;
///   of a single case its own error);
/// * warns of classes that no labelled case holds, and of those that the validation or test cases lack;
/// * predicts the largest held-out case and measures it: with evaluation.stride one window of it, a network of images one
///   plane, else the whole, since memory might not suffice for that (OutOfMemory with the remedy). Says before what
///   evaluation.blending and evaluation.mirror do, and what they cost.
/// Stopped if a signal asked to stop. Returns the trial; nothing if no case is held out.
std::optional<Trial> look_ahead(const RunData& data, const semiagcl::RunSettings& settings, const HeldOut& held_out,
                                layers::Segmenter& network);

/// What the checkpoints of a run will take on its disk at most, beside those that are there.
struct Need {
  std::int64_t files = 0;  ///< those that are kept and the one that is being written
  std::size_t each = 0;    ///< bytes
};
/// `now` is a checkpoint before the first step of this process; `averages`: the method has a teacher, begun or not.
Need checkpoints_to_come(const std::filesystem::path& run, const semiagcl::RunSettings& settings, bool averages,
                         const engine::TensorFile& now);

/// IoError with the figures and the remedy unless the disk of `run`, which need not be there yet, has so much room.
void require_space(const std::filesystem::path& run, const Need& need);

}  // namespace sagcl::tools
