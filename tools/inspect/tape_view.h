#pragma once
#include <chrono>
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "engine/devices/allocator.h"
#include "tools/inspect/inspected_step.h"

namespace sagcl::tools {

/// One operation of a step, or several that were joined.
struct TapeEntry {
  std::string op;                         ///< "conv"; of joined ones how many there are
  std::string module;                     ///< path, e.g. "enc0.0"; empty outside modules
  std::string where;                      ///< "ops/conv.cpp:41", which recorded it
  engine::Shape shape;                    ///< of the (last) result
  std::vector<std::size_t> sources = {};  ///< entries whose results it takes, ascending
  double forward = 0, backward = 0;       ///< milliseconds, since the operation before had ended
  std::int64_t kept = 0;                  ///< bytes by which memory in use has grown meanwhile: the result and what is saved
  double gradient = 0;                    ///< ‖dy‖ of the (last) result; NaN where nothing came back
  std::int64_t count = 1;
};

/// Memory in use behind an operation.
struct MemoryPoint {
  std::size_t entry = 0;
  bool backward = false;
  std::size_t in_use = 0;
};

/// Writes down everything that a tape records and walks. Waits for the device at every operation.
class TapeWatch final : public autograd::Observer {
 public:
  explicit TapeWatch(engine::Device device);
  void after_forward(const Step& step, const engine::Tensor& y) override;
  void before_backward(const Step& step, const engine::Tensor& dy) override;
  void after_backward(const Step& step, const autograd::Gradients& gradients) override;
  const std::vector<TapeEntry>& entries() const { return entries_; }
  const std::vector<MemoryPoint>& memory() const { return memory_; }
  std::size_t before() const { return before_; }  ///< memory in use when it began: weights, optimiser, teacher, batches

 private:
  double milliseconds();  ///< since the last call
  engine::Device device_;
  std::size_t in_use() const;
  std::vector<TapeEntry> entries_;  // by record
  std::vector<MemoryPoint> memory_;
  std::size_t before_, in_use_;
  std::chrono::steady_clock::time_point last_;
};

/// Operations that follow one another in one module as one entry, modules whose paths have the first `depth` parts in
/// common; a module that runs twice is there twice. Operations outside modules stay as they are.
std::vector<TapeEntry> joined(const std::vector<TapeEntry>& entries, std::size_t depth);

/// What is alive when: before the step, at the end of the forward pass and at the peak, and how much the modules keep for
/// the backward pass.
std::string memory_text(const TapeWatch& watch, std::size_t depth);
std::string memory_json(const TapeWatch& watch, std::size_t depth);
std::string memory_svg(const TapeWatch& watch);  ///< over the operations of the step

std::string tape_text(const std::vector<TapeEntry>& entries);
std::string tape_json(const std::vector<TapeEntry>& entries);
std::string tape_dot(const std::vector<TapeEntry>& entries);  ///< for Graphviz
/// A picture that stands alone: entries from top to bottom, what skips some of them at the side.
std::string tape_svg(const std::vector<TapeEntry>& entries, const std::string& title);

}  // namespace sagcl::tools
