#pragma once
#include <condition_variable>
#include <deque>
#include <exception>
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
  bool strong_labelled = true;  ///< false: the strong view of labelled samples is their weak view
  std::uint64_t seed = 0;
  engine::Device reader = {};   ///< the device the batches will be uploaded to: they lie where it finds them at once
};

/// One training batch; N = labelled + unlabelled.
struct Batch {
  std::int64_t step = 0;
  std::int64_t labelled = 0;      ///< the first so many samples have labels
  Tensor weak, strong;            ///< f32 [N, D, H, W, C]; on the host, as label
  Tensor label;                   ///< i32 [N, D, H, W]; -1 (unknown) for unlabelled samples
  std::vector<std::string> ids;   ///< case of each sample
  std::vector<Placement> places;  ///< of each sample
};

/// Where a stream of n cases stands: position p is case permutation(seed, name, epoch p / n)[p % n], so that every case
/// occurs once per epoch and any position can be computed without those before it.
std::int64_t stream_case(std::uint64_t seed, const char* name, std::int64_t n, std::int64_t position);

/// Batch `step`, a pure function of (samples, spec, step): the labelled stream gives positions step * labelled and
/// following, the unlabelled one likewise; crops and intensities of sample j draw from Generator(seed, ..., step).fork(j).
/// Labels of the `unlabelled` samples are never read. UsageError if a stream that is asked for is empty or a labelled sample
/// has no label.
Batch make_batch(const std::vector<Sample>& labelled, const std::vector<Sample>& unlabelled, const BatchSpec& spec,
                 std::int64_t step);

/// Batches first_step, first_step + 1, ... in order, prepared ahead by one thread that keeps at most `ahead` of them. An
/// exception in the thread is thrown by the next() that would have returned its batch, and by every later one. Destroying
/// it stops the thread. Samples are copied, which shares the memory of their tensors.
class TwoStreamBatches {
 public:
  TwoStreamBatches(std::vector<Sample> labelled, std::vector<Sample> unlabelled, BatchSpec spec, std::int64_t first_step = 0,
                   std::size_t ahead = 3);
  ~TwoStreamBatches();
  TwoStreamBatches(const TwoStreamBatches&) = delete;

  Batch next();                                      ///< waits until the batch is ready
  bool ready();                                      ///< next() would not wait
  double seconds_waited() const { return waited_; }  ///< in next(), so far: what training lost to data preparation

 private:
  void run(std::int64_t step);

  const std::vector<Sample> labelled_, unlabelled_;
  const BatchSpec spec_;
  const std::size_t ahead_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Batch> ready_;
  std::exception_ptr failure_;
  bool stop_ = false;
  double waited_ = 0;
  std::thread thread_;
};

}  // namespace sagcl::datasets
