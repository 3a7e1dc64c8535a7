#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "semiagcl/settings/config.h"

namespace sagcl::semiagcl {

/// Everything a run is determined by, together with the data and the binary. Written into the run folder as config.toml.
struct DataSettings {
  std::string folder;  ///< set by --data
  /// none, z_score, unit (x / 255), min_max: per volume and channel; window: all by data.window (datasets/normalise.h)
  std::string normalise = "z_score";
  std::vector<double> window;    ///< low, high, mean, deviation, as Hounsfield units of what is looked for
  std::string labelled = "1.0";  ///< of the training cases: a count "8", a fraction "0.05", or ids "a,b,c"
  /// first (in the data set's order: its list's, else by name), spread (evenly), seeded; block: train.seed says which block
  /// of patients, whom data.labelled then counts (datasets/split.h)
  std::string labelled_pick = "first";
  /// patients with a label that are kept for the test, beside the data set's own: a count, a fraction or ids
  std::string test = "0";
  std::string validation = "0";  ///< patients with a label kept for validation, likewise
  /// cross-validation, "0/5": of five parts of the patients with a label this one is for validation, instead of
  /// data.validation (datasets/split.h); "" none
  std::string fold;
  std::string split_pick = "last";  ///< which patients: last (in name order), every (n-th), seeded
  /// what stored label values mean, instead of the data set's own rule: "0:0,255:1", "cut:128", "instances"
  std::string label_map;
  /// millimetres between voxels along D, H, W that every case is brought to before training, its prediction back behind it
  /// (datasets/resampling.h); 0 leaves an axis as it is, [] all
  std::vector<double> spacing;
  std::int64_t resize = 0;  ///< images only: side in pixels after resizing (labels nearest); 0 keeps the size
  /// 1 bilinear with half-pixel centres; 0 nearest for images too, as SciPy's zoom (ACDC's protocol)
  std::int64_t resize_order = 1;
  /// where training cases lie for which there is no memory, ready to be trained on: auto (the user's cache folder), never,
  /// or a folder, in which all of them are then looked for and put (datasets/case_cache.h)
  std::string cache = "auto";
  double memory = 0;         ///< GiB of memory for the training cases, the others are in data.cache; 0: half of what is free
  std::int64_t workers = 0;  ///< threads that prepare batches; 0: one, and for a GPU a quarter of the cores, at most 4
};

struct NetworkSettings {
  std::string name = "vnet";  ///< vnet (volumes), unet (images)
  std::int64_t width = 16;    ///< channels of the first stage
  /// how many of the four steps down halve D, H and W (layers/segmenter.h); of images D does not count
  std::vector<std::int64_t> halvings = {4, 4, 4};
};

struct TrainSettings {
  std::string method = "semi-agcl";  ///< see --list-methods
  std::int64_t steps = 6000;         ///< all steps, the supervised warm-up (method.warm_up_share) included
  std::int64_t batch = 4;            ///< images per step; see `unlabelled`
  std::string unlabelled = "half";   ///< of a method that uses such: half of the batch, or as many beside it ("beside")
  std::int64_t shards = 1;           ///< 1, 2, 4, 8, …: equal parts of the batch, each with its own statistics
  std::int64_t compare_every = 100;  ///< steps between comparisons of the weights of all processes
  std::vector<std::int64_t> patch = {112, 112, 80};  ///< D, H, W of a training crop
  std::string optimiser = "adam";                    ///< adam, adamw (its weight_decay is decoupled), sgd
  double learning_rate = 1e-4;                       ///< its course: poly_power, decay_every, ease_in
  double momentum = 0.9;                             ///< sgd
  double weight_decay = 0;         ///< of every parameter; added to its gradient (adam, sgd) or taken off it (adamw)
  double poly_power = 0.9;         ///< learning rate x (1 - t / T)^power after the warm-up; 0 is constant
  std::int64_t decay_every = 0;    ///< learning rate x 0.1 every so many steps; 0 never
  std::int64_t ease_in = 0;        ///< steps over which the learning rate of a fresh optimiser rises linearly
  std::string precision = "auto";  ///< fp32, tf32, bf16 (activations too); auto is tf32 on a GPU, fp32 on the CPU
  std::string storage = "f32";     ///< of activations until their backward: f32, or bf16 in half the bits
  /// outputs of norms in the backward pass: always (less memory), never (less time), or auto: never on a GPU that has room
  std::string recompute = "auto";
  bool replay = false;  ///< on a GPU: a step is recorded once and replayed (one CUDA graph); the same bits
  /// start from a run's checkpoint or a safetensors file in PyTorch's order; empty: drawn
  std::string weights;
  /// a warm-up that leaves a class unpredicted starts again with other weights, at most so often
  std::int64_t restarts = 2;
  std::uint64_t seed = 0;  ///< of weights, batches, augmentation and dropout; with *_pick also of the division
};

struct AugmentSettings {
  std::vector<std::string> flip = {"D", "H", "W"};  ///< axes mirrored with probability 1/2
  bool rotate = false;                              ///< quarter turns in the H-W plane
  double turn = 0;   ///< largest angle in degrees of free turns: of images in the plane, of volumes about each axis; 0 none
  double scale = 1;  ///< largest factor by which a sample grows or shrinks, all axes alike; 1 none
  double elastic = 0;  ///< deformation: control points move by at most this share of their distance; 0 none, at most .2
  double place_share = 0.5;  ///< of the samples that are turned, separately scaled, and separately deformed
  double foreground = 0;     ///< share of the labelled crops that are centred on a voxel of a drawn class
  /// the strong view: plain (contrast, gamma, noise), or full (contrast about the mean, and blur and low resolution, too)
  std::string strong = "plain";
  /// the strong view of RGB tiles also changes channel gains and saturation
  bool colour = false;
  double strong_labelled = 1;  ///< share of the labelled samples that are trained on in the strong view, too
  /// pairs of labelled images swap a box (mix.box), whatever the method: never, in the supervised warm-up, always
  std::string copy_paste = "never";
};

/// Copy-paste (copy_paste.h): bcp, and the box of augment.copy_paste.
struct MixSettings {
  double box = 2.0 / 3;            ///< side of the pasted box as a share of the crop's
  double unlabelled_weight = 0.5;  ///< of the loss where the truth is a pseudo label
  double ema_decay = 0.99;         ///< of the teacher that makes the pseudo labels
  /// of the pseudo labels the largest connected component of each class alone; it harms where a class has several regions
  bool largest_component = false;
};

/// What `action` and `arco` have beside method.*.
struct ContrastSettings {
  /// of the steps after the warm-up, in two stages of equal length: 30k and 30k before 30k of fine-tuning
  double pre_training_share = 2.0 / 3;
  bool antithetic = false;  ///< arco: antithetic pairs in each stratum (SAG) instead of independent draws (SG)
};

struct EvaluationSettings {
  std::int64_t every = 0;               ///< steps between validations; 0 only at the end
  std::int64_t checkpoint_every = 500;  ///< steps between checkpoints
  /// of the sliding window, D, H, W; empty: the whole volume at once, padded
  std::vector<std::int64_t> stride;
  /// what a voxel counts in a window's probabilities: mean (all alike, the papers' protocol), or gaussian (by its distance
  /// from the window's centre, σ an eighth of the window, as nnU-Net and MONAI do); needs a stride
  std::string blending = "mean";
  /// axes D, H, W: probabilities are the mean over all 2^n mirror images along them, at 2^n times the time; [] none
  std::vector<std::string> mirror;
  bool largest_component = false;  ///< keep the largest 26-connected component of each class
  bool millimetres = false;        ///< HD95 and ASD in mm instead of voxels
};

/// What a run writes down about itself. No bit of the training depends on it.
struct DebugSettings {
  std::int64_t grads_every = 0;  ///< steps between looks at what each term does to each layer (term_gradients.h); 0 never
  std::string watch = "";   ///< tensors to write down, "enc*/conv:grad@every=50,A" (tensor_watch.h); each look costs a step
  bool watch_npy = false;   ///< the tensors, too, as watch/step-0000050/NAME.npy
  std::int64_t hashes = 0;  ///< steps between hashes of batch, gradients and weights, for sagcl-inspect compare; 0 never
  /// none, or finite: looks at every gradient in every step, and stops at the first that is not finite
  std::string check = "none";
};

struct RunSettings {
  std::string preset = "none";  ///< see --list-presets
  std::string expectation;      ///< one sentence on what the result should look like, shown in the report
  DataSettings data;
  NetworkSettings network;
  TrainSettings train;
  AugmentSettings augment;
  MixSettings mix;
  ContrastSettings contrast;
  Method method;
  EvaluationSettings evaluation;
  DebugSettings debug;
};

/// Calls f("section.key", field) for every field but those of `method`, in order: reading, writing and comparing runs are
/// visitors of this one list. The fields of `method` are visited by its own list in config.h.
template <class S, class F>
void for_each_run_setting(S& s, F&& f) {
  f("preset", s.preset), f("expectation", s.expectation);
  f("data.folder", s.data.folder), f("data.normalise", s.data.normalise), f("data.window", s.data.window);
  f("data.labelled", s.data.labelled);
  f("data.labelled_pick", s.data.labelled_pick), f("data.test", s.data.test), f("data.validation", s.data.validation);
  f("data.fold", s.data.fold);
  f("data.split_pick", s.data.split_pick), f("data.label_map", s.data.label_map), f("data.spacing", s.data.spacing);
  f("data.resize", s.data.resize);
  f("data.resize_order", s.data.resize_order);
  f("data.cache", s.data.cache), f("data.memory", s.data.memory), f("data.workers", s.data.workers);
  f("network.name", s.network.name), f("network.width", s.network.width);
  f("network.halvings", s.network.halvings);
  f("train.method", s.train.method), f("train.steps", s.train.steps), f("train.batch", s.train.batch);
  f("train.unlabelled", s.train.unlabelled), f("train.shards", s.train.shards);
  f("train.compare_every", s.train.compare_every);
  f("train.patch", s.train.patch), f("train.optimiser", s.train.optimiser), f("train.learning_rate", s.train.learning_rate);
  f("train.momentum", s.train.momentum), f("train.weight_decay", s.train.weight_decay),
      f("train.poly_power", s.train.poly_power);
  f("train.decay_every", s.train.decay_every), f("train.ease_in", s.train.ease_in), f("train.precision", s.train.precision);
  f("train.storage", s.train.storage), f("train.recompute", s.train.recompute), f("train.replay", s.train.replay);
  f("train.weights", s.train.weights), f("train.restarts", s.train.restarts);
  f("train.seed", s.train.seed);
  f("augment.flip", s.augment.flip), f("augment.rotate", s.augment.rotate), f("augment.turn", s.augment.turn);
  f("augment.scale", s.augment.scale), f("augment.elastic", s.augment.elastic);
  f("augment.place_share", s.augment.place_share);
  f("augment.foreground", s.augment.foreground);
  f("augment.strong", s.augment.strong), f("augment.colour", s.augment.colour);
  f("augment.strong_labelled", s.augment.strong_labelled), f("augment.copy_paste", s.augment.copy_paste);
  f("mix.box", s.mix.box), f("mix.unlabelled_weight", s.mix.unlabelled_weight), f("mix.ema_decay", s.mix.ema_decay),
      f("mix.largest_component", s.mix.largest_component);
  f("contrast.pre_training_share", s.contrast.pre_training_share), f("contrast.antithetic", s.contrast.antithetic);
  f("evaluation.every", s.evaluation.every), f("evaluation.checkpoint_every", s.evaluation.checkpoint_every);
  f("evaluation.stride", s.evaluation.stride), f("evaluation.blending", s.evaluation.blending);
  f("evaluation.mirror", s.evaluation.mirror), f("evaluation.largest_component", s.evaluation.largest_component);
  f("evaluation.millimetres", s.evaluation.millimetres);
  f("debug.grads_every", s.debug.grads_every), f("debug.watch", s.debug.watch), f("debug.watch_npy", s.debug.watch_npy);
  f("debug.hashes", s.debug.hashes), f("debug.check", s.debug.check);
}

}  // namespace sagcl::semiagcl
