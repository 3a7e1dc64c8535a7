#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "engine/extents.h"

namespace sagcl::semiagcl {

using engine::Extents;

/// Kernel of Eq. 2 on the distance of two patch vectors; `none` leaves L_PL out (Table IV).
enum class Kernel { l2, l1, none };
/// `resolved` minimises c_nuc ‖A‖_* − c_tr tr A; `printed` is the sign of Eq. 3 as printed, its opposite (ablation only).
enum class Sign { resolved, printed };
enum class Bandwidth { adaptive, fixed };
/// A patch as a node: all its class probabilities, or their mean over the patch.
enum class PatchVector { flat, mean };
/// Which patches share a graph.
enum class GraphOver { image, batch };
/// What ranks the patches of a class (Table V).
enum class Score { entropy, confidence, cosine };
/// Weight of n_i in Eq. 6: its affinity A_ii, one half, or U(0,1); `none` leaves L_RW out (Table IV).
enum class Mixing { affinity, one_to_one, random, none };
/// What the encoder reads for an embedding: the attended patch, or its region of the whole image's bottleneck.
enum class Embedding { patch, roi };
/// Form of L_reg, see consistency.h.
enum class Consistency { soft_ce, sharpened_ce, ce_argmax, dice_ce_argmax, mse };
/// What forwards of attended patches do to the running statistics of batch norm.
enum class PatchNorm { frozen, tracked };
enum class Evaluated { student, teacher };

/// Every choice of the method, with the paper's symbol, the default (preset `paper`) and the reason for it.
/// A field that the paper leaves open says so; README.md of this folder lists them all.
struct Method {
  std::string preset = "paper";  ///< what the others of this section begin with: paper, stable, mixed

  // --- III-A, Eq. 1: patches and sampling -----------------------------------------------------------------------------
  Extents patch_grid{{2, 2, 2}};       ///< patches per axis; not in the paper. LA crops become 56x56x40. 2-D: {1,4,4}
  Score score = Score::entropy;        ///< what ranks the patches of a class (Table V)
  bool entropy_of_confidence = false;  ///< Eq. 1 on C^k alone instead of X ⊙ C^k (the form of PatchCL's released code)
  double low_percentile = 0.5;         ///< per-image range of Eq. 1; Eq. 1 needs [0,1], z-scored images are not
  double high_percentile = 99.5;       ///< its upper end
  std::int64_t top_n = 20;             ///< n, "20" of section IV-B
  double top_n_share = 0.25;           ///< at most this share of the batch's patches: LA batches hold few
  /// a patch whose mean confidence is below does not stand for the class; it only fills up its n
  double min_confidence = 0.01;

  // --- III-B, Eq. 2: affinity graph -----------------------------------------------------------------------------------
  Kernel kernel = Kernel::l2;                    ///< of Eq. 2; none leaves L_PL out (Table IV)
  PatchVector patch_vector = PatchVector::flat;  ///< ŷ^i; divided by √voxels (L2) or voxels (L1): independent of patch size
  GraphOver graph = GraphOver::image;            ///< as Listing 1; `batch` joins all patches of the batch in one
  Bandwidth bandwidth = Bandwidth::adaptive;     ///< σ: "adaptive" without a rule; half the median teacher-teacher distance
  double bandwidth_fixed = 1;                    ///< σ when fixed; 1 is Listing 1 (γ in σ's place), nearly inert
  double bandwidth2_low = 1e-4;                  ///< clamp of the adaptive σ²
  double bandwidth2_high = 1;                    ///< clamp of the adaptive σ²

  // --- Eq. 3: L_PL ----------------------------------------------------------------------------------------------------
  double c_nuc = 1;  ///< weight of ‖A‖_*: −γ, γ = −1 "in all experiments". 0 is Table IV without λ‖A‖_*
  double c_tr = 1;   ///< weight of tr A
  Sign sign = Sign::resolved;  ///< of Eq. 3: resolved minimises c_nuc ‖A‖_* − c_tr tr A, printed its opposite
  double drop = 1e-6;          ///< singular values below drop · s_max give no gradient: the norm has a kink there
  bool polar =
      false;  ///< polar iteration instead of the SVD, faster for large graphs; values below 1e-5 s_max count in part

  // --- III-C, Eq. 4 to 7: L_RW ----------------------------------------------------------------------------------------
  Mixing mixing = Mixing::affinity;  ///< weight of n_i in Eq. 6; none leaves L_RW out (Table IV)
  double tau = 0.2;                  ///< τ, section IV-B
  std::int64_t bank_size = 4096;     ///< K per class; PatchCL's value
  std::int64_t n_closest = 256;      ///< N of Eq. 6; MoCHi's ratio 1024/16384
  std::int64_t n_hard = 256;         ///< |H|
  std::int64_t min_negatives = 16;   ///< anchors of a class wait until the other classes' banks hold this many keys
  bool dynamic_threshold = true;     ///< θ follows the median of the stored A_ii; else it stays at threshold_start
  double threshold_start = 0.5;      ///< θ before the first update
  /// the first update takes the median itself: from 0.5 an average of .99 needs 300 steps
  bool threshold_from_first = true;
  double threshold_decay = 0.99;  ///< of the moving average that θ is
  double threshold_low = 0.05;    ///< θ is at least this
  double threshold_high = 0.95;   ///< and at most this
  bool append_queue = false;      ///< add the bank itself to Eq. 7's denominator, as MoCHi; Eq. 7 literally has only H
  bool labelled_anchors = true;   ///< L_RW also on labelled images (their true map is C^k); Fig. 1 shows unlabelled ones
  Embedding embedding = Embedding::patch;    ///< q = H(E_S(P_i^k)); `roi` is cheaper (1.6 instead of 2.0 supervised steps)
  std::int64_t projection_hidden = 256;      ///< hidden units of the projection head H
  std::int64_t projection_dim = 128;         ///< length of q; PatchCL's
  PatchNorm patch_norm = PatchNorm::frozen;  ///< attended patches are mostly zero: their statistics are not the images'

  // --- IV-C: mask M --------------------------------------------------------------------------------------------------
  /// labelled and unlabelled images are pasted into each other (copy_paste.h), in the warm-up labelled ones alone; section
  /// IV-C names M and its size and nothing else
  bool mask = false;

  // --- Eq. 8 and training ---------------------------------------------------------------------------------------------
  Consistency consistency = Consistency::soft_ce;  ///< L_reg "cross entropy between the outputs"
  /// argmax forms: a voxel counts only where the teacher's probability is at least this; ours
  double min_target = 0;
  double w_reg = 1, w_pl = 1, w_rw = 1;  ///< Eq. 8 has no weights; section IV-B's 0.25 and 0.2 have no place in it
  double ramp_share = 0.2;       ///< share of the semi-supervised steps in which the three weights rise to their values
  double ema_decay = 0.999;      ///< α, "0.999" of section IV-B
  bool average_warm_up = false;  ///< the teacher averages the warm-up's students too; else it starts as a copy of the last
  /// dropout in the teacher's forwards, as mean teacher's code; worse with it in five of five pairs of runs
  bool teacher_dropout = false;
  double warm_up_share = 0.25;  ///< share of all steps that are supervised only: "pre-training 10k, self-training 30k"
  Evaluated evaluated = Evaluated::student;  ///< not in the paper; the field evaluates the student
};

/// The letter of the paper with every gap filled from the literature it cites; all weights one.
Method paper();

/// What the gradients support: warm-up, L_reg on the teacher's argmax, nuclear weight below the trace weight, small
/// weights on L_PL and L_RW.
Method stable();

/// `stable` with the mask M: what gains from few labels (docs/experiments.md).
Method mixed();

/// "paper", "stable" or "mixed"; UsageError naming them for anything else.
Method preset(const std::string& name);

/// The preset `name` with those settings of `m` that are not as m's own preset has them: what was set by hand stays.
Method with_preset(const Method& m, const std::string& name);

/// UsageError naming the field, its value and what is allowed, e.g. a top_n of 0.
void check(const Method& m);

/// The names of an enumeration's values in order; their position is the value. Used by configuration files and prints.
const std::vector<std::string>& names(Kernel);
const std::vector<std::string>& names(Sign);
const std::vector<std::string>& names(Bandwidth);
const std::vector<std::string>& names(PatchVector);
const std::vector<std::string>& names(GraphOver);
const std::vector<std::string>& names(Score);
const std::vector<std::string>& names(Mixing);
const std::vector<std::string>& names(Embedding);
const std::vector<std::string>& names(Consistency);
const std::vector<std::string>& names(PatchNorm);
const std::vector<std::string>& names(Evaluated);

/// Calls f(name, field) for every field in order: reading, writing and comparing settings are visitors of this one list.
template <class M, class F>
void for_each_setting(M& m, F&& f) {
  f("patch_grid", m.patch_grid), f("score", m.score), f("entropy_of_confidence", m.entropy_of_confidence);
  f("low_percentile", m.low_percentile), f("high_percentile", m.high_percentile);
  f("top_n", m.top_n), f("top_n_share", m.top_n_share), f("min_confidence", m.min_confidence);
  f("kernel", m.kernel), f("patch_vector", m.patch_vector), f("graph", m.graph), f("bandwidth", m.bandwidth);
  f("bandwidth_fixed", m.bandwidth_fixed), f("bandwidth2_low", m.bandwidth2_low), f("bandwidth2_high", m.bandwidth2_high);
  f("c_nuc", m.c_nuc), f("c_tr", m.c_tr), f("sign", m.sign), f("drop", m.drop), f("polar", m.polar);
  f("mixing", m.mixing), f("tau", m.tau), f("bank_size", m.bank_size), f("n_closest", m.n_closest), f("n_hard", m.n_hard);
  f("min_negatives", m.min_negatives), f("dynamic_threshold", m.dynamic_threshold), f("threshold_start", m.threshold_start);
  f("threshold_from_first", m.threshold_from_first), f("threshold_decay", m.threshold_decay);
  f("threshold_low", m.threshold_low), f("threshold_high", m.threshold_high), f("append_queue", m.append_queue);
  f("labelled_anchors", m.labelled_anchors), f("embedding", m.embedding), f("projection_hidden", m.projection_hidden);
  f("projection_dim", m.projection_dim), f("patch_norm", m.patch_norm), f("consistency", m.consistency);
  f("min_target", m.min_target), f("mask", m.mask);
  f("w_reg", m.w_reg), f("w_pl", m.w_pl), f("w_rw", m.w_rw), f("ramp_share", m.ramp_share), f("ema_decay", m.ema_decay);
  f("average_warm_up", m.average_warm_up), f("teacher_dropout", m.teacher_dropout), f("warm_up_share", m.warm_up_share),
      f("evaluated", m.evaluated);
}

/// Sets one field from text ("0.5", "true", "l1", "2x2x2"); UsageError naming the field, the text and what is allowed.
void set(Method& m, const std::string& name, const std::string& value);

}  // namespace sagcl::semiagcl
