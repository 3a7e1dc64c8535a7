#pragma once
#include <condition_variable>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "datasets/augment.h"
#include "datasets/store.h"

namespace sagcl::datasets {

/// How batches are made.
struct BatchSpec {
  std::int64_t labelled = 2;    ///< samples of the labelled stream, first in the batch
  std::int64_t unlabelled = 2;  ///< samples of the unlabelled stream, behind them; 0 for supervised training
  WeakSpec weak;
  StrongSpec strong;
  double foreground_share = 0;  ///< of the labelled crops: centre_on_foreground, drawn for each
  double strong_labelled = 1;   ///< of so many labelled samples; the strong view of the others is their weak view
  std::uint64_t seed = 0;
  engine::Device reader = {};  ///< the device the batches will be uploaded to: they lie where it finds them at once
  std::int64_t threads = 1;    ///< that prepare batches; nothing else depends on it
  double mask_box = 0;         ///< side of the masks' boxes as a share of the crop's; 0: batches have no masks
  /// Labelled copy-paste: side, as a share of the crop's, of the box that labelled samples i and i + n / 2 of a shard of n
  /// swap, in both views and the label, drawn for every pair (of an odd n the last stays as it is); 0: none. UsageError if a
  /// shard has less than two.
  double paste_box = 0;
  std::int64_t distances = 0;    ///< classes of which batches hold signed distance maps, background included; 0: none
  std::int64_t shards = 1;       ///< equal parts of the batch; must divide labelled and unlabelled
  std::int64_t first_shard = 0;  ///< of those this process makes …
  std::int64_t own_shards = 1;   ///< … and how many
};

/// One shard of a training batch, the whole of it with one shard; N = (labelled + unlabelled) / shards.
struct Batch {
  std::int64_t step = 0, shard = 0;
  std::int64_t labelled = 0;  ///< the first so many samples have labels
  Tensor weak, strong;        ///< f32 [N, D, H, W, C]; on the host, as the following
  Tensor label;               ///< i32 [labelled, D, H, W]; -1 where nobody annotated
  Tensor mask;                ///< f32 [labelled, D, H, W]: 0 in a box, 1 outside, drawn for every labelled sample
  Tensor distance;            ///< f32 [labelled, D, H, W, classes - 1]: signed_distances of the label
  /// What a batch uploads; a tensor may be undefined.
  static constexpr Tensor Batch::*tensors[] = {&Batch::weak, &Batch::strong, &Batch::label, &Batch::mask, &Batch::distance};
  std::vector<std::string> ids;   ///< case of each sample
  std::vector<Placement> places;  ///< of each sample
};

/// Where a stream of n cases stands: position p is case permutation(seed, name, epoch p / n)[p % n], so that every case
/// occurs once per epoch and any position can be computed without those before it.
std::int64_t stream_case(std::uint64_t seed, const char* name, std::int64_t n, std::int64_t position);

/// Batch `step`, a pure function of (samples, spec, step): the labelled stream gives positions step * labelled and
/// following, the unlabelled one likewise; crops and intensities of sample j draw from Generator(seed, ..., step).fork(j).
/// Shard s holds the s-th part of the labelled samples and the s-th part of the unlabelled ones: the same samples for any
/// number of shards, but pairs of `paste_box` are within a shard. Labels of the `unlabelled` samples are never read.
/// UsageError if a stream that is asked for is empty, a labelled sample has no label, or the shards do not divide the batch.
Batch make_batch(const std::vector<Sample>& labelled, const std::vector<Sample>& unlabelled, const BatchSpec& spec,
                 std::int64_t step, std::int64_t shard = 0);

/// The own shards of batches first_step, first_step + 1, ... in order, prepared by threads: at most `ahead` of them, and one
/// per thread, are begun or ready. An exception is thrown by the next() that would have returned its batch, and by every
/// later one. Destroying it stops the threads. Samples are copied, which shares the memory of their tensors.
class TwoStreamBatches {
 public:
  TwoStreamBatches(std::vector<Sample> labelled, std::vector<Sample> unlabelled, BatchSpec spec, std::int64_t first_step = 0,
                   std::int64_t ahead = 3);
  ~TwoStreamBatches();
  TwoStreamBatches(const TwoStreamBatches&) = delete;

  Batch next();                                      ///< waits until the batch is ready
  bool ready();                                      ///< next() would not wait
  double seconds_waited() const { return waited_; }  ///< in next(), so far: what training lost to data preparation

 private:
  struct Prepared {
    Batch batch;
    std::exception_ptr failure;
  };
  void work();
  void stop();

  const std::vector<Sample> labelled_, unlabelled_;
  const BatchSpec spec_;
  const std::int64_t first_step_, ahead_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::int64_t begun_ = 0, given_ = 0;      // shards in order, from 0
  std::map<std::int64_t, Prepared> ready_;  // those between
  bool stop_ = false;
  double waited_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace sagcl::datasets
