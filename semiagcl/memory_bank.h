#pragma once
#include <map>
#include <string>
#include <vector>

#include "semiagcl/kernels/backend.h"
#include "semiagcl/sampling.h"

namespace sagcl::semiagcl {

/// Section III-C's memory bank Q: per class the last `bank_size` keys, unit vectors from the teacher, each with the
/// affinity A_ii its patch had when it was stored, and the dynamic threshold θ. It lives on the device that trains.
class MemoryBank {
 public:
  /// Room for n_classes x m.bank_size keys of m.projection_dim numbers of type `dtype`.
  MemoryBank(std::int64_t n_classes, const Method& m, engine::Device device = {}, engine::Dtype dtype = engine::Dtype::f32);

  /// Stores those of keys [K n, dim] that count, each with the affinity of its patch (affinity [patches of the batch], the
  /// diagonal of Eq. 2's graphs); the oldest of their class make room. Where `gate` (f64 [1], or undefined) is 0 nothing
  /// happens. ShapeError for another width; on the CPU UsageError for an affinity outside [0,1] or a key that is not of
  /// length one.
  void store(const Tensor& keys, const Picks& picks, const Tensor& affinity, const Tensor& gate = {});

  /// Moves θ towards the median of all stored affinities: decay θ + (1 − decay) median, clamped; once per step. θ stays
  /// where nothing is stored, without m.dynamic_threshold, and where `gate` is 0.
  void update_threshold(const Tensor& gate = {});

  const KeyRing& ring() const { return ring_; }
  Tensor theta() const;  ///< θ, [1]
  /// [K n, K bank_size]: 0 where a key is of another class than the row, else -1e30
  Tensor other_classes(std::int64_t n) const;

  void convert_to(engine::Dtype dtype);

  // What follows waits for the device; it is for checkpoints and for looking.

  double threshold() const { return theta().item(); }
  std::int64_t count(std::int64_t label) const;  ///< keys held of a class

  /// Keys of a class, oldest first, on the host: keys [M, dim], affinity M.
  struct Keys {
    Tensor keys;
    std::vector<double> affinity;
  };
  Keys of(std::int64_t label) const;

  /// Everything as host tensors for a checkpoint, and back, whatever float type they have. DataError when a tensor is
  /// missing or of another shape.
  std::map<std::string, Tensor> state() const;
  void load(const std::map<std::string, Tensor>& state);

 private:
  std::map<std::string, Tensor> parts() const;
  Method m_;
  KeyRing ring_;
  Tensor threshold_;  // [2]: θ, and whether it was ever moved
};

}  // namespace sagcl::semiagcl
