#pragma once
#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "engine/ranges.h"
#include "tools/inspect/inspected_step.h"

namespace sagcl::tools {

/// Where the time of training steps goes: every phase, module and operation, forward and backward, by what its name is and
/// where it stands. Hears the thread that made it, and waits for the device at every end, so that times are those of work.
class Profile final : public engine::RangeListener {
 public:
  explicit Profile(engine::Device device);
  ~Profile() override;
  void begin(const char* name) override;
  void end() override;

  struct Row {
    std::int64_t calls = 0;
    double all = 0, own = 0;  ///< milliseconds, with and without what is inside
    double work = 0;          ///< operations of convolutions and products (engine/work.h), without what is inside
    double bytes = 0;         ///< that operations had to move at least (engine/work.h), without what is inside
  };
  /// By the path "step/forward/enc0/conv"; parts of a path that repeat inside one another stay apart.
  const std::map<std::string, Row>& rows() const { return rows_; }

  /// For chrome://tracing and Perfetto, of the first `most_events` ranges.
  std::string trace() const;
  static constexpr std::size_t most_events = 200'000;

 private:
  struct Open {
    std::string path, name;
    double begun, inside = 0;
    double work, bytes, work_inside = 0, bytes_inside = 0;
  };
  struct Event {
    std::string name;
    double begun, length;
  };
  double now() const;
  bool ours() const { return std::this_thread::get_id() == thread_; }
  engine::Device device_;
  std::thread::id thread_;
  std::chrono::steady_clock::time_point start_;
  std::vector<Open> open_;
  std::map<std::string, Row> rows_;
  std::vector<Event> events_;
};

/// What the device reaches, to compare with; the best of some.
struct MachinePeak {
  double product;  ///< GFLOP/s of a large matrix product
  double copy;     ///< GB/s of a large copy, read and written
};
MachinePeak measured_peak(engine::Device device);

/// The rows with so many steps: phases of the step, then operations of all modules by their own time, forward and backward
/// apart, those of convolutions and products with their speed and its share of the peak, all with what they move; if asked
/// for, the same of every layer.
std::string profile_text(const Profile& profile, std::int64_t steps, const MachinePeak& peak, bool layers);
std::string profile_json(const Profile& profile, std::int64_t steps, const MachinePeak& peak);

}  // namespace sagcl::tools
