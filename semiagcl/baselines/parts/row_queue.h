#pragma once
#include <map>
#include <string>

#include "engine/tensor.h"

namespace sagcl::semiagcl {

using engine::Tensor;

/// First in, first out: for each of G groups the last `size` rows [dim] that were pushed, the newest first. It lives on the
/// device that trains; places that are still empty hold zeros.
class RowQueue {
 public:
  RowQueue(std::int64_t groups, std::int64_t size, std::int64_t dim, engine::Device device);

  /// Puts rows [G, n, dim] before the others; of more than `size` the first. Only where `takes` (f32 [G], or undefined) is
  /// not 0, and nowhere where `gate` (f64 [1], or undefined) is 0. ShapeError for rows that do not fit.
  void push(const Tensor& rows, const Tensor& gate, const Tensor& takes = {});

  const Tensor& rows() const { return rows_; }      ///< f32 [G, size, dim]
  const Tensor& filled() const { return filled_; }  ///< f32 [G, size]: 1 where a row was pushed, else 0

  void convert_to(engine::Dtype dtype) { rows_ = rows_.to(dtype), filled_ = filled_.to(dtype); }

  /// For a checkpoint, and back: DataError if a part is missing or of another shape.
  std::map<std::string, Tensor> state() const { return {{"rows", rows_.clone()}, {"filled", filled_.clone()}}; }
  void load(const std::map<std::string, Tensor>& state);

 private:
  Tensor rows_, filled_;
};

}  // namespace sagcl::semiagcl
