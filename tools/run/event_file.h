#pragma once
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tools/run/event_record.h"

namespace sagcl::tools {

/// The event files of a run folder, in the order in which TensorBoard reads them.
std::vector<std::filesystem::path> event_files(const std::filesystem::path& run);

/// A line of metrics.jsonl as records: scalars "loss/all", "loss/sup", "train/lr", "dice/validation/student",
/// "gradient/sup/enc0.0", …; nothing for notes and for numbers that are not finite. `last`: the last step of training
/// before; where the steps begin again, TensorBoard is told so. DataError, beginning with "metrics.jsonl", if it is no such
/// line.
std::string event_records(const std::string& line, double time, std::int64_t& last);

/// The file events.out.tfevents.N.sagcl of a run folder: what metrics.jsonl says, and at every validation histograms and
/// pictures, which are nowhere else. A run that goes on begins a file with the next N, in which TensorBoard is told to
/// forget what the files before say of steps that are taken again; one that is watching hears it, too.
class EventFile {
 public:
  /// Begins a file of a run that stands at `step` and has those lines in metrics.jsonl. Figures, histograms and pictures of
  /// this very step are expected to follow, as kept_metrics (run_state.h) says. Where there is no file before, it holds all
  /// lines.
  void begin(const std::filesystem::path& run, const std::string& metrics, std::int64_t step);

  void line(const std::string& text);  ///< of metrics.jsonl
  void look(std::int64_t step, const EventSummary& histograms_and_pictures);
  bool good() const { return out_.good(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::ofstream out_;
  std::int64_t last_ = 0;
};

}  // namespace sagcl::tools
