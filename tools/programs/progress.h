#pragma once
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace sagcl::tools {

struct ProgressSpec {
  std::string label;             ///< "train", "predict"
  std::int64_t total = 0;        ///< steps in all
  std::int64_t start = 0;        ///< steps that were already done, e.g. before a resume
  double every_seconds = 10;     ///< off a terminal: a line at least this often …
  std::int64_t every_steps = 0;  ///< … and after so many steps; 0 means by time alone
};

/// How far the work is. On a terminal one redrawn line with the time to go; elsewhere (a log file, SLURM) plain lines.
class Progress {
 public:
  explicit Progress(ProgressSpec spec, std::FILE* out = stderr);
  Progress(ProgressSpec spec, std::FILE* out, bool terminal);  ///< for tests
  ~Progress();
  Progress(const Progress&) = delete;

  /// `done` of the total steps are finished, and `part` (0 to 1) of the next; `detail` is shown behind, e.g. "loss 0.41".
  void update(std::int64_t done, const std::string& detail = "", double part = 0);

  /// Prints a message without tearing the redrawn line.
  void message(const std::string& text);

  void finish();  ///< leaves the last state as a line; also done by the destructor

 private:
  using Clock = std::chrono::steady_clock;
  std::string line(bool bar) const;
  void print();
  ProgressSpec spec_;
  std::FILE* out_;
  bool terminal_;
  std::int64_t done_, printed_step_;
  double part_ = 0;
  std::string detail_;
  Clock::time_point begun_, printed_at_;
  bool pending_ = false, finished_ = false;
};

/// "1 h 02 min", "3 min 05 s", "12 s".
std::string duration_text(double seconds);

}  // namespace sagcl::tools
