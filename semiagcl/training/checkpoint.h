#pragma once
#include <string>

#include "engine/files/safetensors.h"
#include "layers/optimiser.h"
#include "layers/segmenter.h"

// A checkpoint is one safetensors file (engine/files/safetensors.h). Its tensors, by name:
//
//   student/PART               parameters and running statistics of the network, as its modules name them
//   teacher/PART               of the averaged network, once it has begun
//   method/MODULE/PART         of TrainingMethod::modules(): method/head, method/teacher_head (Semi-AGCL's projection)
//   method/bank/PART           Semi-AGCL's memory bank: keys, affinity, count, next, threshold
//   method/latents/PART        of ACTION and ARCO: the caches of the teacher's latents and output windows: rows, filled
//   method/outputs/PART
//   method/bank/PART           ARCO's memory banks, and method/maps/PART its cache of the teacher's maps: rows, filled
//   optimizer/STATE/PART       the optimisers' states (layers/optimiser.h), while there are steps to go
//
// and its notes: `step`, the steps done; `attempt`, how often the run started again with other weights. Everything else of a
// step is a function of these and the settings. Files of earlier versions have the same names.
namespace sagcl::semiagcl::checkpoint {

inline constexpr const char* student = "student/";
inline constexpr const char* teacher = "teacher/";
inline constexpr const char* method = "method/";
inline constexpr const char* bank = "method/bank/";
inline constexpr const char* latents = "method/latents/";
inline constexpr const char* outputs = "method/outputs/";
inline constexpr const char* maps = "method/maps/";
inline constexpr const char* optimiser = "optimizer/";

/// Where a run stands.
struct Position {
  std::int64_t step = 0, attempt = 0;
};
void store(const Position& position, engine::TensorFile& content);
Position position_of(const engine::TensorFile& content, const std::string& source);  ///< DataError if it is no checkpoint
bool is_one(const engine::TensorFile& content);                                      ///< of a run, not only weights

/// Stores tensors under `prefix` + name, on the host; and finds them again.
void store(const std::map<std::string, engine::Tensor>& state, const char* prefix, engine::TensorFile& content);
std::map<std::string, engine::Tensor> state_of(const engine::TensorFile& content, const char* prefix);

/// NonFiniteError naming the first of the tensors under `prefix` that is not finite: such a state never becomes a
/// checkpoint.
void require_finite(const engine::TensorFile& content, const std::string& prefix, std::int64_t step);

}  // namespace sagcl::semiagcl::checkpoint
