#include "semiagcl/training/training_batches.h"

#include <bit>

#include "semiagcl/settings/axes.h"

namespace sagcl::semiagcl {

using engine::require;
using engine::UsageError;

namespace {

engine::Extents extents_of(const std::vector<std::int64_t>& v) { return {{v[0], v[1], v[2]}}; }

}  // namespace

datasets::BatchSpec batch_spec(const RunSettings& s, const Phase& phase, std::int64_t classes) {
  datasets::BatchSpec spec;
  const bool beside = s.train.unlabelled == "beside";
  spec.unlabelled = !phase.unlabelled ? 0 : beside ? s.train.batch : s.train.batch / 2;
  spec.labelled = beside ? s.train.batch : s.train.batch - spec.unlabelled;
  spec.weak.crop = extents_of(s.train.patch);
  spec.weak.flip = axes_named(s.augment.flip, "augment.flip");
  spec.weak.quarter_turns = s.augment.rotate;
  spec.weak.turn = s.augment.turn, spec.weak.scale = s.augment.scale, spec.weak.elastic = s.augment.elastic;
  spec.weak.free_share = s.augment.place_share;
  spec.foreground_share = s.augment.foreground;
  // Values brought to [0, 1] have a deviation of about a fifth, others are taken for z-scored.
  const bool from_0_to_1 = s.data.normalise == "min_max" || s.data.normalise == "unit";
  spec.strong = s.augment.colour ? datasets::StrongSpec::colours() : datasets::StrongSpec::volumes(from_0_to_1 ? 0.2 : 1);
  if (s.augment.strong == "full") spec.strong = spec.strong.full();
  spec.strong_labelled = s.augment.strong_labelled;
  spec.paste_box = phase.paste || s.augment.copy_paste == "always" ? s.mix.box : 0;
  spec.mask_box = phase.masks ? s.mix.box : 0;
  spec.distances = phase.distances ? classes : 0;
  spec.seed = s.train.seed;
  return spec;
}

void check_batches(const RunSettings& s, const Phase& phase, int processes) {
  require<UsageError>(s.data.workers >= 0, "data.workers = {}: threads that prepare batches, or 0 for as many as fit",
                      s.data.workers);
  const std::int64_t shards = s.train.shards;
  require<UsageError>(!phase.unlabelled || s.train.unlabelled == "beside" || s.train.batch % 2 == 0,
                      "train.batch = {}: half of it is unlabelled, so it must be even; or set train.unlabelled=beside",
                      s.train.batch);
  require<UsageError>(shards >= 1 && std::has_single_bit(std::uint64_t(shards)),
                      "train.shards = {}: choose 1, 2, 4, 8, …; gradients are added in pairs, and pairs of pairs", shards);
  const datasets::BatchSpec spec = batch_spec(s, phase, 0);  // how many classes does not matter here
  require<UsageError>(spec.labelled % shards == 0 && spec.unlabelled % shards == 0,
                      "train.shards = {}: {} labelled and {} unlabelled samples cannot be divided into so many equal parts; "
                      "change it or train.batch",
                      shards, spec.labelled, spec.unlabelled);
  require<UsageError>(spec.paste_box == 0 || spec.labelled / shards >= 2,
                      "{} swaps boxes between pairs of labelled samples, but a shard has {} of them; choose a larger "
                      "train.batch, fewer train.shards or train.unlabelled=beside",
                      phase.paste ? phase.name : "augment.copy_paste", spec.labelled / shards);
  require<UsageError>(
      shards % processes == 0,
      "{} processes cannot share train.shards = {} equally: start 1, 2, 4, … of them, no more than shards, or "
      "begin a run with more shards (--set train.shards=N)",
      processes, shards);
}

}  // namespace sagcl::semiagcl
