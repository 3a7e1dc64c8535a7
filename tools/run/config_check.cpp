#include <toml++/toml.h>

#include <algorithm>

#include "datasets/label_rule.h"
#include "datasets/normalise.h"
#include "engine/devices/precision.h"
#include "layers/segmenter.h"
#include "ops/storage.h"
#include "semiagcl/baselines/registry.h"
#include "semiagcl/evaluation/inference.h"
#include "semiagcl/settings/network_spec.h"
#include "semiagcl/training/tensor_watch.h"
#include "tools/run/config.h"

// Which values of the settings can work, alone and together.
namespace sagcl::tools {

using engine::fail;
using engine::require;
using engine::UsageError;
using semiagcl::RunSettings;

namespace {

/// Windows of the patch's size must leave no voxel out.
void check_stride(const RunSettings& s) {
  const auto &stride = s.evaluation.stride, &patch = s.train.patch;
  if (stride.empty()) return;
  require<UsageError>(stride.size() == 3, "evaluation.stride = [{}]: expected three numbers D, H, W or []",
                      fmt::join(stride, ", "));
  for (std::size_t a = 0; a < 3; ++a)
    require<UsageError>(
        stride[a] >= 1 && stride[a] <= patch[a],
        "evaluation.stride = [{}]: with windows of train.patch = [{}], {} must lie in 1 to {}, or voxels are "
        "left out. Use e.g. --set evaluation.stride={},{},{}; [] predicts the whole volume at once",
        fmt::join(stride, ", "), fmt::join(patch, ", "), stride[a], patch[a], (patch[0] + 1) / 2, (patch[1] + 1) / 2,
        (patch[2] + 1) / 2);
}

/// What config.toml will hold can be read back.
void check_text(const RunSettings& s) {
  const std::string text = to_toml(s);
  std::string section;
  for (std::size_t begin = 0, end; begin < text.size(); begin = end + 1) {
    end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    if (line.starts_with("[")) section = line.substr(1, line.size() - 2) + ".";
    try {
      (void)toml::parse(line);
    } catch (const toml::parse_error&) {
      fail<UsageError>(
          "{}{}: is not UTF-8 text, so config.toml cannot hold it. Rename the file or folder, or give a symbolic "
          "link with a plain name (ln -s)",
          section, line);
    }
  }
}

}  // namespace

void check(const RunSettings& s) {
  const auto at_least = [](const char* key, std::int64_t value, std::int64_t low) {
    require<UsageError>(value >= low, "{} = {}: must be at least {}", key, value, low);
  };
  semiagcl::check(s.method);
  at_least("train.steps", s.train.steps, 1);
  at_least("train.batch", s.train.batch, 1);
  at_least("train.shards", s.train.shards, 1);
  at_least("train.compare_every", s.train.compare_every, 1);
  at_least("network.width", s.network.width, 1);
  at_least("evaluation.checkpoint_every", s.evaluation.checkpoint_every, 1);
  at_least("debug.grads_every", s.debug.grads_every, 0);
  at_least("debug.hashes", s.debug.hashes, 0);
  try {
    semiagcl::watch_patterns(s.debug.watch);
  } catch (const UsageError& e) { engine::fail<UsageError>("debug.watch: {}", e.what()); }
  require<UsageError>(s.train.patch.size() == 3, "train.patch = [{}]: expected three extents D, H, W",
                      fmt::join(s.train.patch, ", "));
  const bool flat = layers::flat(s.network.name), cuts_patches = semiagcl::method_reads(s, "method.patch_grid");
  const engine::Extents halvings = semiagcl::network_spec(s.network, 1, 2).halvings;
  for (std::size_t a = 0; a < 3; ++a) {
    const std::int64_t extent = s.train.patch[a], stride = std::int64_t(1) << halvings[int(a)];
    if (flat && a == 0) require<UsageError>(extent == 1, "train.patch: images have depth 1, got {}", extent);
    else
      require<UsageError>(extent >= stride && extent % stride == 0,
                          "train.patch: {} is not a multiple of {}, and the network halves it {} times (network.halvings)",
                          extent, stride, halvings[int(a)]);
    const bool encodes_patches = cuts_patches && s.method.mixing != semiagcl::Mixing::none &&
                                 s.method.embedding == semiagcl::Embedding::patch && !(flat && a == 0);
    require<UsageError>(
        !encodes_patches || extent / s.method.patch_grid[int(a)] >= stride,
        "method.patch_grid: {} patches leave {} voxels of an extent of {}; the encoder halves a patch {} times and "
        "needs {}. Use fewer patches, a larger train.patch, or method.embedding=roi",
        s.method.patch_grid[int(a)], extent / s.method.patch_grid[int(a)], extent, halvings[int(a)], stride);
    require<UsageError>(!cuts_patches || extent % s.method.patch_grid[int(a)] == 0,
                        "method.patch_grid: {} patches do not divide an extent of {}", s.method.patch_grid[int(a)], extent);
  }
  require<UsageError>(s.data.resize_order == 0 || s.data.resize_order == 1,
                      "data.resize_order = {}: choose 0 (nearest) or 1 (bilinear)", s.data.resize_order);
  datasets::normalisation_named(s.data.normalise, s.data.window);
  const std::vector<double>& spacing = s.data.spacing;
  require<UsageError>(
      spacing.empty() || (spacing.size() == 3 &&
                          std::all_of(spacing.begin(), spacing.end(), [](double mm) { return mm >= 0 && mm <= 1000; })),
      "data.spacing = [{}]: choose three numbers of millimetres along D, H, W, 0 for an axis that stays, or []",
      fmt::join(spacing, ", "));
  require<UsageError>(spacing.empty() || !flat || spacing[0] == 0,
                      "data.spacing = [{}]: {} sees one plane at a time, so D stays as it is; begin with 0",
                      fmt::join(spacing, ", "), s.network.name);
  require<UsageError>(spacing.empty() || s.data.resize == 0,
                      "data.spacing and data.resize = {} both say how large an image becomes; leave one out", s.data.resize);
  datasets::parse_label_rule(s.data.label_map);
  require<UsageError>(s.train.learning_rate > 0, "train.learning_rate = {}: must be positive", s.train.learning_rate);
  require<UsageError>(s.train.unlabelled == "half" || s.train.unlabelled == "beside",
                      "train.unlabelled = '{}': choose half or beside", s.train.unlabelled);
  const std::vector<std::string> pastes = {"never", "warm_up", "always"};
  require<UsageError>(s.debug.check == "none" || s.debug.check == "finite", "debug.check = '{}': choose none or finite",
                      s.debug.check);
  require<UsageError>(std::find(pastes.begin(), pastes.end(), s.augment.copy_paste) != pastes.end(),
                      "augment.copy_paste = '{}': choose never, warm_up or always", s.augment.copy_paste);
  require<UsageError>(s.train.optimiser == "adam" || s.train.optimiser == "adamw" || s.train.optimiser == "sgd",
                      "train.optimiser = '{}': choose adam, adamw or sgd", s.train.optimiser);
  if (s.train.precision != "auto") (void)engine::precision_from(s.train.precision);
  (void)ops::storage(s.train.storage);
  require<UsageError>(s.train.recompute == "auto" || s.train.recompute == "always" || s.train.recompute == "never",
                      "train.recompute = '{}': choose auto, always or never", s.train.recompute);
  require<UsageError>(s.augment.turn >= 0 && s.augment.turn <= 180,
                      "augment.turn = {}: choose the largest angle, 0 (no turns) to 180 degrees", s.augment.turn);
  require<UsageError>(s.augment.scale >= 1 && s.augment.scale <= 10,
                      "augment.scale = {}: choose the largest factor, 1 (no scaling) to 10; samples shrink by it, too",
                      s.augment.scale);
  require<UsageError>(s.augment.elastic >= 0 && s.augment.elastic <= 0.2,
                      "augment.elastic = {}: choose a share of the distance of control points, 0 (no deformation) to 0.2, "
                      "beyond which images fold",
                      s.augment.elastic);
  require<UsageError>(s.augment.foreground >= 0 && s.augment.foreground <= 1,
                      "augment.foreground = {}: choose a share of the labelled crops, 0 to 1", s.augment.foreground);
  require<UsageError>(s.augment.place_share >= 0 && s.augment.place_share <= 1,
                      "augment.place_share = {}: choose a share of the samples, 0 to 1", s.augment.place_share);
  require<UsageError>(s.augment.strong_labelled >= 0 && s.augment.strong_labelled <= 1,
                      "augment.strong_labelled = {}: choose a share of the labelled samples, 0 to 1",
                      s.augment.strong_labelled);
  require<UsageError>(s.augment.strong == "plain" || s.augment.strong == "full",
                      "augment.strong = '{}': choose plain or full", s.augment.strong);
  require<UsageError>(s.mix.box > 0 && s.mix.box < 1, "mix.box = {}: choose a share of the crop's sides between 0 and 1",
                      s.mix.box);
  require<UsageError>(s.mix.ema_decay >= 0 && s.mix.ema_decay < 1, "mix.ema_decay = {}: choose 0 or more, below 1",
                      s.mix.ema_decay);
  require<UsageError>(s.mix.unlabelled_weight >= 0 && s.mix.unlabelled_weight < 1e6,
                      "mix.unlabelled_weight = {}: must be 0 or more", s.mix.unlabelled_weight);
  require<UsageError>(s.contrast.pre_training_share >= 0 && s.contrast.pre_training_share < 1,
                      "contrast.pre_training_share = {}: choose 0 or more, below 1", s.contrast.pre_training_share);
  check_stride(s);
  semiagcl::check_prediction(s);
  check_text(s);
}

}  // namespace sagcl::tools
