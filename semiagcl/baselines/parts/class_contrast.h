#pragma once
#include "semiagcl/baselines/parts/stratified.h"
#include "semiagcl/training/phase.h"

namespace sagcl::semiagcl {

constexpr std::int64_t queries_per_class = 256, negatives_per_class = 512;
constexpr double contrast_tau = 0.5;

/// What the voxels of K classes are contrasted with, all constant.
struct ClassContrast {
  Tensor queries;    ///< i32 [K,Q]: rows of the features
  Tensor positives;  ///< [K,e]: one per class, of any length
  Tensor negatives;  ///< [K,R,e]: of each class, of any length
  Tensor usable;     ///< [K]: 1 where a class has queries and negatives, else 0
  Tensor classes;    ///< []: by how many the sum is divided
};

/// ReCo's contrast (Liu et al., ICLR 2022), of features f [M,e]:
///
///   1/classes Σ_k usable_k mean_q −log( e^{cos(f_q, p_k)/½} / (e^{cos(f_q, p_k)/½} + Σ_r e^{cos(f_q, n_kr)/½}) )
Variable class_contrast(const Variable& features, const ClassContrast& c);

/// a ⊙ b, without gradients.
Tensor product(const Tensor& a, const Tensor& b);

/// [K]: 1 where a column of weights [M,K] has one above 0, else 0.
Tensor any_row(const Tensor& weights);

/// x [R] beside itself, [R,columns].
Tensor repeated(const Tensor& x, std::int64_t columns);

/// Σ over the rows of each class of their features: valid [M,K] of zeros and ones, features [M,e] -> [K,e]. Its direction is
/// the class mean's.
Tensor class_sums(const Tensor& features, const Tensor& valid);

/// With which weight each voxel is drawn as a negative of each class: a class c other than k has softmax(cos(mean_k, mean_c)
/// / ½), shared equally by its voxels. sums [K,e] of class_sums, valid [M,K] -> [M,K].
Tensor negative_weights(const Tensor& sums, const Tensor& valid);

/// ReCo's choice: hard queries (p of their class below 0.97), the class mean as positive, negatives by negative_weights;
/// all are drawn with replacement. features [M,e]; p [M,K] the student's probabilities, valid [M,K] the class of each voxel,
/// a row of zeros where it is not known.
ClassContrast reco_contrast(const Tensor& features, const Tensor& p, const Tensor& valid, engine::Generator& random);

/// A class map or probabilities [N,D,H,W,K] where the features of DenseHead are, as rows [M,K].
Tensor at_features(const Tensor& map, const Variable& features);

}  // namespace sagcl::semiagcl
