#pragma once
#include <functional>
#include <string>

#include "ops/backend.h"

/// What `sagcl-gpu-check` can do; each returns the number of failures. Rows go to the screen as a table and, with
/// --json FILE, to that file, one JSON object a line.
namespace sagcl::gpu {

using engine::Device;
using engine::Tensor;

struct Options {
  Device device;
  std::string json;       ///< empty: screen only
  std::string only;       ///< run only what contains this text; that nothing does is a failure
  std::string precision;  ///< of the timed steps; empty: all three
  bool small = false;     ///< sizes for compute-sanitizer
  int steps = 20;
};

/// every operation and kernel of both contracts, f64 and f32, value and gradients, GPU against CPU
int op_parity(const Options& options);
int op_repeat(const Options& options);   ///< every operation twice on the GPU: equal bits
int conv_sweep(const Options& options);  ///< all layer shapes of both networks, three passes and precisions, against f64
int weight_gradients(
    const Options& options);  ///< our weight gradient on small images; nothing of cuDNN runs when SAGCL_PLANS=off
int step_parity(const Options& options);     ///< training steps of both networks, GPU against CPU, and twice bit for bit
int step_replay(const Options& options);     ///< recorded steps: equal bits, and what they save
int step_times(const Options& options);      ///< the steps that tools/gpu/peers.py times in PyTorch
int bandwidths(const Options& options);      ///< memory-bound kernels against a copy
int upload_overlap(const Options& options);  ///< a copy from pinned memory beside kernels

/// Is the case of this name to be run?
bool selected(const Options& options, const std::string& name);

/// One row: name, then value columns "key=value" for the screen, and a JSON object of the same.
void report(const Options& options, const std::string& stage, const std::string& name, const std::string& json_fields);

/// Milliseconds of f(), the mean of `repeats` after two to warm up, by the host's clock around a synchronisation.
double time_ms(Device device, int repeats, const std::function<void()>& f);

/// ||a - b|| / ||b|| over all elements; infinity when a is not finite.
double relative_error(const Tensor& a, const Tensor& b);

}  // namespace sagcl::gpu
