#pragma once
#include "ops/backend.h"

/// Pairwise distances and their gradients in single precision, as Backend states them, by differences and 16 numbers at a
/// time. Vectors are read in pieces that stay in the cache, sums of a piece are added in double: long vectors (the class
/// probabilities of a whole patch) cost one pass over memory and keep their digits. Bits do not depend on the threads.
namespace sagcl::ops::cpu {

void pairwise_distance(Metric metric, const Tensor& a, const Tensor& b, Tensor& d);
void pairwise_distance_backward(Metric metric, const Tensor& a, const Tensor& b, const Tensor& dd, Tensor& da, Tensor& db);
void gaussian_kernel(const Tensor& d, const Tensor& sigma2, Tensor& k);

}  // namespace sagcl::ops::cpu
