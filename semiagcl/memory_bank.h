#pragma once
#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/tensor.h"
#include "semiagcl/config.h"

namespace sagcl::semiagcl {

using engine::Tensor;

/// The next θ: decay θ + (1 − decay) median(affinities), clamped (numpy's median; θ itself when there are none).
double next_threshold(double theta, std::vector<double> affinities, const Method& m);

/// Section III-C's memory bank Q: per class the last `bank_size` keys, unit vectors from the teacher, each with the
/// affinity A_ii its patch had when it was stored, and the dynamic threshold θ. It lives on the host.
class MemoryBank {
 public:
  /// Room for n_classes x m.bank_size keys of m.projection_dim numbers of type `dtype`.
  MemoryBank(std::int64_t n_classes, const Method& m, engine::Dtype dtype = engine::Dtype::f32);

  /// Stores rows of keys [n, dim] with their affinities in (0,1]; the oldest of that class make room.
  /// ShapeError for another width; UsageError for a class or affinity out of range or a key that is not of length one.
  void push(std::int64_t label, const Tensor& keys, std::span<const double> affinity);

  std::int64_t count(std::int64_t label) const;  ///< keys held of a class
  std::int64_t n_classes() const { return keys_.shape()[0]; }

  /// Keys of one class or of all others, class after class, each oldest first: keys [M, dim], affinity M.
  struct Keys {
    Tensor keys;
    std::vector<double> affinity;
  };
  Keys of(std::int64_t label) const;
  Keys other_classes(std::int64_t label) const;

  double threshold() const { return theta_; }  ///< θ
  void update_threshold();                     ///< moves θ towards the median of all stored affinities; once per step

  /// Everything as tensors for a checkpoint, and back. UsageError when a tensor is missing or of another shape.
  std::map<std::string, Tensor> state() const;
  void load(const std::map<std::string, Tensor>& state);

 private:
  Keys gather(const std::vector<std::int64_t>& labels) const;
  Method m_;
  Tensor keys_;                          // [classes, size, dim]
  std::vector<std::vector<double>> a_;   // [classes][size]
  std::vector<std::int64_t> count_, next_;
  double theta_;
  bool updated_ = false;
};

}  // namespace sagcl::semiagcl
