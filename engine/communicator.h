#pragma once
#include <memory>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace sagcl::engine {

/// The processes that train one network together, each with a copy of it. All calls but abort() are collective: every
/// process makes the same ones in the same order, from the thread that trains. BackendError when the library below fails.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;  ///< 0 … size() - 1
  virtual int size() const = 0;
  virtual int local_rank() const = 0;  ///< among the processes on this machine
  virtual int local_size() const = 0;

  /// `all` has room for size() parts of `bytes` on `device`; part rank() is there, the others are filled in.
  virtual void all_gather(void* all, std::size_t bytes, Device device) = 0;

  /// Part r of `send` goes to process r; part r of `receive` is what process r had for this one.
  virtual void all_to_all(const void* send, void* receive, std::size_t bytes, Device device) = 0;

  /// Ends all processes; the program that started them returns `code`.
  [[noreturn]] virtual void abort(int code) = 0;
};

/// A world of one process.
Communicator& alone();

/// Joins the processes that mpirun or srun started with this one, through the plugin libsagcl_mpi.so; nullptr when there are
/// no others. They part when the result is destroyed. UsageError when there are others and the plugin is missing, cannot
/// start, or sees another number of them.
std::unique_ptr<Communicator> connect();

/// What carries tensors on `device` between the processes of `host`: NCCL for GPUs, nullptr where `host` does it itself (the
/// CPU, or one process). `host` must outlive it. BackendError with the reason when the GPUs cannot be connected.
std::unique_ptr<Communicator> connect_devices(Communicator& host, Device device);

/// Every process's text, in order of rank.
std::vector<std::string> gather(Communicator& ranks, const std::string& mine);

/// True if it is for some process.
bool any(Communicator& ranks, bool mine);

/// Adds lists of equal shapes in pairs, pairs of pairs and so on. So the sum of 2^k lists has the same bits whether one
/// process adds them all or each of 2^j processes adds its consecutive share and sum_over_processes() the rest. At most
/// k + 1 lists are held at a time.
class PairwiseSum {
 public:
  void add(std::vector<Tensor> list);  ///< may write into its tensors
  std::vector<Tensor> take();          ///< the sum; UsageError unless 2^k lists were added

 private:
  std::vector<std::vector<Tensor>> partial_;  // of 2^k lists each, largest first
  std::uint64_t count_ = 0;
};

/// Replaces every tensor (f32 or f64) by its sum over the processes, a power of two of them, in PairwiseSum's order. Tensors
/// travel together in buckets of about 16 MiB; each process adds its part of a bucket and hands the sum to the others.
void sum_over_processes(Communicator& ranks, const std::vector<Tensor>& tensors);

}  // namespace sagcl::engine
