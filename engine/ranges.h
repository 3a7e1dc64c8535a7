#pragma once

namespace sagcl::engine {

/// Hears what begins and ends: phases of a training step, modules inside modules, operations and, within the phase
/// "backward", their backwards, each inside the whole path of its module, "block1.0". Ranges of a thread nest.
class RangeListener {
 public:
  virtual ~RangeListener() = default;
  virtual void begin(const char* name) = 0;
  virtual void end() = 0;
};

/// Who hears of the ranges that begin from now on; nullptr: nobody, and a range costs the look whether there is someone. A
/// listener must outlive the ranges it was told of.
void listen_to_ranges(RangeListener* listener);

/// A named range until the end of its scope, or until the next one takes its place.
class Range {
 public:
  explicit Range(const char* name);
  ~Range();
  Range(const Range&) = delete;
  void next(const char* name);

 private:
  RangeListener* listener_;  // the one that heard of the beginning
};

}  // namespace sagcl::engine
