#include "datasets/batches.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "datasets/signed_distance.h"

namespace sagcl::datasets {

using engine::Dtype;
using engine::Extents;
using engine::Generator;
using engine::require;
using engine::Tensor;
using engine::UsageError;

namespace {

/// Puts sample number j of a batch in place.
template <class T>
void insert(Tensor& batch, std::int64_t j, const Tensor& one) {
  std::copy_n(one.data<T>(), one.size(), batch.data<T>() + j * one.size());
}

const Tensor& label_of(const Sample& sample) {
  require<UsageError>(sample.label.defined(), "batch: the labelled case {} was loaded without its label", sample.id);
  return sample.label;
}

/// Puts a case at place j of the shard; `number` is its place in the whole batch.
void add_sample(Batch& batch, const Sample& sample, const BatchSpec& spec, std::int64_t j, std::int64_t number) {
  const bool labelled = j < batch.labelled;
  Generator place_random = Generator(spec.seed, "crop", std::uint64_t(batch.step)).fork(std::uint64_t(number));
  Placement place = draw_placement(spec.weak, sample.extents(), place_random);
  if (labelled && spec.foreground_share > 0) {
    Generator random = Generator(spec.seed, "foreground", std::uint64_t(batch.step)).fork(std::uint64_t(number));
    if (random.coin(spec.foreground_share)) {
      const Tensor& label = label_of(sample);
      const auto counts = sample.counts ? sample.counts : std::make_shared<const ClassCounts>(label);
      centre_on_foreground(place, label, *counts, spec.weak.crop, random);
    }
  }
  const Tensor weak = cut(sample.image, spec.weak.crop, place);
  insert<float>(batch.weak, j, weak);
  Generator coin = Generator(spec.seed, "strong labelled", std::uint64_t(batch.step)).fork(std::uint64_t(number));
  if (!labelled || coin.coin(spec.strong_labelled)) {
    Generator intensity_random = Generator(spec.seed, "intensity", std::uint64_t(batch.step)).fork(std::uint64_t(number));
    insert<float>(batch.strong, j, strengthen(weak, spec.strong, intensity_random));
  } else {
    insert<float>(batch.strong, j, weak);
  }
  if (labelled) {
    Tensor label = cut(label_of(sample), spec.weak.crop, place).to(Dtype::i32);
    std::replace(label.data<std::int32_t>(), label.data<std::int32_t>() + label.size(), std::int32_t(not_annotated), -1);
    insert<std::int32_t>(batch.label, j, label);
  }
  batch.ids.push_back(sample.id);
  batch.places.push_back(place);
}

/// A box whose sides are a share of the crop's (of an axis of one voxel the whole), somewhere inside. Calls row(first, n)
/// for every row of n voxels in it.
template <class Row>
void draw_box(const Extents& crop, double share, Generator random, Row row) {
  require<UsageError>(share > 0 && share <= 1, "batch: a box of {} of the crop; choose a share above 0, at most 1", share);
  Extents begin, size;
  for (int a = 0; a < 3; ++a) {
    size[a] = std::max<std::int64_t>(1, std::int64_t(share * double(crop[a])));
    begin[a] = size[a] < crop[a] ? random.integer(crop[a] - size[a]) : 0;
  }
  for (std::int64_t d = begin[0]; d < begin[0] + size[0]; ++d)
    for (std::int64_t h = begin[1]; h < begin[1] + size[1]; ++h) row((d * crop[1] + h) * crop[2] + begin[2], size[2]);
}

/// A mask for each labelled sample of a shard: 0 in a box, 1 outside.
Tensor draw_masks(const Batch& batch, const BatchSpec& spec) {
  const Extents& crop = spec.weak.crop;
  Tensor masks = Tensor::staging({batch.labelled, crop[0], crop[1], crop[2]}, Dtype::f32, spec.reader);
  std::fill_n(masks.data<float>(), masks.size(), 1.0f);
  for (std::int64_t i = 0; i < batch.labelled; ++i) {
    const std::int64_t number = batch.shard * batch.labelled + i;
    float* const mask = masks.data<float>() + i * crop.volume();
    draw_box(crop, spec.mask_box, Generator(spec.seed, "box", std::uint64_t(batch.step)).fork(std::uint64_t(number)),
             [&](std::int64_t first, std::int64_t n) { std::fill_n(mask + first, n, 0.0f); });
  }
  return masks;
}

/// Swaps a row of n voxels, each of x / voxels values, between samples a and b.
template <class T>
void swap_rows(Tensor& x, std::int64_t voxels, std::int64_t a, std::int64_t b, std::int64_t first, std::int64_t n) {
  const std::int64_t sample = x.size() / x.shape()[0], values = sample / voxels;
  T* const at = x.data<T>() + first * values;
  std::swap_ranges(at + a * sample, at + a * sample + n * values, at + b * sample);
}

/// Labelled copy-paste, see BatchSpec::paste_box.
void swap_boxes(Batch& batch, const BatchSpec& spec) {
  const std::int64_t pairs = batch.labelled / 2, voxels = spec.weak.crop.volume();
  require<UsageError>(pairs >= 1, "batch: boxes are swapped between labelled samples, but a shard has {} of them",
                      batch.labelled);
  for (std::int64_t i = 0; i < pairs; ++i) {
    const std::int64_t j = i + batch.labelled / 2;
    const Generator random =
        Generator(spec.seed, "paste", std::uint64_t(batch.step)).fork(std::uint64_t(batch.shard * pairs + i));
    draw_box(spec.weak.crop, spec.paste_box, random, [&](std::int64_t first, std::int64_t n) {
      swap_rows<float>(batch.weak, voxels, i, j, first, n);
      swap_rows<float>(batch.strong, voxels, i, j, first, n);
      swap_rows<std::int32_t>(batch.label, voxels, i, j, first, n);
    });
  }
}

/// The signed distance maps of the labels as they are trained on, boxes swapped.
Tensor distances_of(const Batch& batch, const BatchSpec& spec) {
  require<UsageError>(spec.distances >= 2, "batch: signed distances of {} classes asked for; there must be two or more",
                      spec.distances);
  const Extents& crop = spec.weak.crop;
  Tensor maps = Tensor::staging({batch.labelled, crop[0], crop[1], crop[2], spec.distances - 1}, Dtype::f32, spec.reader);
  for (std::int64_t i = 0; i < batch.labelled; ++i)
    signed_distances({batch.label.data<std::int32_t>() + i * crop.volume(), std::size_t(crop.volume())}, crop,
                     spec.distances, maps.data<float>() + i * crop.volume() * (spec.distances - 1));
  return maps;
}

std::int64_t channels_of(const std::vector<Sample>& labelled, const std::vector<Sample>& unlabelled) {
  const std::int64_t channels = (labelled.empty() ? unlabelled : labelled).front().image.shape()[3];
  for (const auto* part : {&labelled, &unlabelled})
    for (const Sample& s : *part)
      require(s.image.shape()[3] == channels, "batch: case {} has {} channels, others have {}", s.id, s.image.shape()[3],
              channels);
  return channels;
}

}  // namespace

std::int64_t stream_case(std::uint64_t seed, const char* name, std::int64_t n, std::int64_t position) {
  require<UsageError>(n >= 1 && position >= 0, "batch: the {} stream has {} cases", name, n);
  return Generator(seed, name, std::uint64_t(position / n)).permutation(n)[std::size_t(position % n)];
}

Batch make_batch(const std::vector<Sample>& labelled, const std::vector<Sample>& unlabelled, const BatchSpec& spec,
                 std::int64_t step, std::int64_t shard) {
  require<UsageError>(spec.labelled >= 0 && spec.unlabelled >= 0 && spec.labelled + spec.unlabelled >= 1,
                      "batch: {} labelled and {} unlabelled samples asked for", spec.labelled, spec.unlabelled);
  require<UsageError>(spec.labelled == 0 || !labelled.empty(), "batch: there is no labelled case");
  require<UsageError>(spec.unlabelled == 0 || !unlabelled.empty(),
                      "batch: there is no unlabelled case; train supervised, or label fewer cases");
  require<UsageError>(spec.shards >= 1 && spec.labelled % spec.shards == 0 && spec.unlabelled % spec.shards == 0,
                      "batch: {} labelled and {} unlabelled samples cannot be divided into {} equal shards", spec.labelled,
                      spec.unlabelled, spec.shards);
  require<UsageError>(shard >= 0 && shard < spec.shards, "batch: there is no shard {} of {}", shard, spec.shards);
  const std::int64_t known = spec.labelled / spec.shards, unknown = spec.unlabelled / spec.shards, n = known + unknown;
  const std::int64_t channels = channels_of(labelled, unlabelled);
  const Extents& crop = spec.weak.crop;
  Batch batch;
  batch.step = step;
  batch.shard = shard;
  batch.labelled = known;
  batch.weak = Tensor::staging({n, crop[0], crop[1], crop[2], channels}, Dtype::f32, spec.reader);
  batch.strong = Tensor::staging(batch.weak.shape(), Dtype::f32, spec.reader);
  batch.label = Tensor::staging({known, crop[0], crop[1], crop[2]}, Dtype::i32, spec.reader);
  if (spec.mask_box != 0) batch.mask = draw_masks(batch, spec);
  for (std::int64_t j = 0; j < n; ++j) {
    const bool first = j < known;
    const std::vector<Sample>& stream = first ? labelled : unlabelled;
    const std::int64_t within = first ? shard * known + j : shard * unknown + j - known;  // of the stream's in this step
    const std::int64_t position = step * (first ? spec.labelled : spec.unlabelled) + within;
    const std::int64_t index =
        stream_case(spec.seed, first ? "labelled stream" : "unlabelled stream", std::int64_t(stream.size()), position);
    add_sample(batch, stream[std::size_t(index)], spec, j, first ? within : spec.labelled + within);
  }
  if (spec.paste_box != 0) swap_boxes(batch, spec);
  if (spec.distances != 0) batch.distance = distances_of(batch, spec);
  return batch;
}

TwoStreamBatches::TwoStreamBatches(std::vector<Sample> labelled, std::vector<Sample> unlabelled, BatchSpec spec,
                                   std::int64_t first_step, std::int64_t ahead)
    : labelled_(std::move(labelled)),
      unlabelled_(std::move(unlabelled)),
      spec_(std::move(spec)),
      first_step_(first_step),
      ahead_(std::max<std::int64_t>({1, ahead, spec_.threads})) {
  require<UsageError>(first_step >= 0, "batches: the first step is {}, it cannot be negative", first_step);
  require<UsageError>(spec_.threads >= 1, "batches: {} threads cannot prepare them", spec_.threads);
  try {
    for (std::int64_t i = 0; i < spec_.threads; ++i) threads_.emplace_back([this] { work(); });
  } catch (...) {  // the system has no thread left
    stop();
    throw;
  }
}

TwoStreamBatches::~TwoStreamBatches() { stop(); }

void TwoStreamBatches::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void TwoStreamBatches::work() {
  for (;;) {
    std::int64_t number;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stop_ || begun_ < given_ + ahead_; });
      if (stop_) return;
      number = begun_++;
    }
    Prepared one;
    try {
      one.batch = make_batch(labelled_, unlabelled_, spec_, first_step_ + number / spec_.own_shards,
                             spec_.first_shard + number % spec_.own_shards);
    } catch (...) { one.failure = std::current_exception(); }
    const std::lock_guard lock(mutex_);
    ready_.emplace(number, std::move(one));
    changed_.notify_all();
  }
}

bool TwoStreamBatches::ready() {
  const std::lock_guard lock(mutex_);
  return ready_.contains(given_);
}

Batch TwoStreamBatches::next() {
  const auto start = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ready_.contains(given_); });
  waited_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const auto found = ready_.find(given_);
  if (found->second.failure) std::rethrow_exception(found->second.failure);
  Batch batch = std::move(found->second.batch);
  ready_.erase(found);
  ++given_;
  changed_.notify_all();
  return batch;
}

}  // namespace sagcl::datasets
