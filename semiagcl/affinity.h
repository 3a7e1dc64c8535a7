#pragma once
#include "autograd/tape.h"
#include "ops/distance.h"
#include "semiagcl/settings/config.h"

namespace sagcl::semiagcl {

using autograd::Variable;
using engine::Tensor;

// Section III-B: the affinity graph between the pseudo-labels of teacher and student.

/// Patches as nodes: class probabilities [N,D,H,W,K] -> [N,P,F].
///   flat  F = voxels · K, the probabilities of the patch divided by voxels^power. With power 1/2 the squared L2 distance
///         of two nodes is the mean squared difference per voxel, in [0,2]; with power 1 the L1 distance is the mean too.
///   mean  F = K, their mean over the patch.
Variable patch_vectors(const Variable& probabilities, const Extents& grid, PatchVector kind, double power = 0.5);

/// One graph over all images: [N,P,F] -> [1, N·P, F].
Variable join_graphs(const Variable& vectors);

/// σ² [G] of the adaptive bandwidth: half the median of the off-diagonal teacher-teacher distances of each graph
/// (numpy's median), clamped to [low, high]; `high` for a graph of one node. vectors [G,P,F], constant.
Tensor median_bandwidth2(const Tensor& teacher_vectors, ops::Metric metric, double low = 1e-4, double high = 1);

/// Eq. 2: A[g,i,j] = exp(−d(t_i, s_j) / (2 σ²[g])), row i the teacher's patch, column j the student's; d is the squared
/// L2 or the L1 distance. teacher [G,P,F] constant, student [G,P,F], sigma2 [G] -> [G,P,P] in (0,1].
Variable affinity(const Tensor& teacher_vectors, const Variable& student_vectors, ops::Metric metric, const Tensor& sigma2);

/// A graph and the bandwidth it was made with.
struct AffinityGraph {
  Variable a;     ///< [G,P,P]
  Tensor sigma2;  ///< [G]
};

/// Eq. 2 from probabilities [N,D,H,W,K] of teacher (constant) and student by the method's settings. Where m.kernel is
/// `none` (no L_PL) the L2 kernel is used: the hard negatives still need A_ii.
AffinityGraph affinity_graph(const Tensor& teacher_probabilities, const Variable& student_probabilities, const Method& m);

/// A_ii of every patch of the batch, in patch order: [G,P,P] -> [G·P].
Tensor diagonal(const Tensor& a);

}  // namespace sagcl::semiagcl
