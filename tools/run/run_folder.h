#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "semiagcl/settings/settings.h"
#include "semiagcl/training/tensor_hashes.h"
#include "semiagcl/training/tensor_watch.h"
#include "semiagcl/training/term_gradients.h"
#include "tools/evaluate/evaluation.h"

/// A run folder, written by sagcl-train and read by sagcl-report:
///
///   config.toml        the resolved settings                  command.txt     the command line
///   env.json           processor, compiler, libraries         split.json      which case is in which part
///   status.json        state, step, checkpoints, seconds      evaluation.json figures on the test cases (evaluation.h)
///   checkpoints/       *.safetensors                          predictions/    <case>.nii.gz or <case>.png
///   metrics.csv        metrics.jsonl for spreadsheets (metrics_csv.h), and
///   progress.png       loss and Dice as a picture: both made anew of metrics.jsonl at every validation and checkpoint
///   looks/             step-<step>.json at every validation: what the method made of the batch that came next, of methods
///                      that show it (method_look.h); a few hundred KB at most
///   events.out.tfevents.<n>.sagcl   for TensorBoard: what metrics.jsonl says, histograms of the weights and a validation
///                      case at every validation; one file more each time the run goes on (event_file.h)
///   metrics.jsonl      a line per training step:
///     {"step":n,"phase":"train","loss":…,"terms":{"sup":…,"reg":…,"pl":…,"rw":…},"ramp":…,"lr":…,
///     "theta":…,"a_ii":…,"seconds":…}
///     where debug.grads_every says so, {"step":n,"phase":"gradients","terms":["sup",…],"layers":["encoder.0",…],
///     "products":[[…],…]}: for each layer the upper triangle of TermGradients::Layer::products, row after row;
///     where debug.watch says so, {"step":n,"phase":"watch","tensors":{"enc0.0/conv:grad":{"shape":[…],"min":…,"max":…,
///     "mean":…,"std":…,"norm":…,"zeros":n,"not_finite":n}}}; where debug.hashes says so, {"step":n,"phase":"hashes",
///     "tensors":{"batch/weak":"16 hexadecimal digits",…}};
///     and per validation: {"step":n,"phase":"validation","network":"student"|"teacher","dice":mean
///     foreground,"per_class":[…]}; after the last step also with "phase":"test", on the test cases; and
///     {"step":n,"phase":"note","text":…} where something was changed when the run went on
///   watch/             with debug.watch_npy step-0000050/NAME.npy, "/" and ":" of the name being "_"
///   lock               while a process writes the folder (run_lock.h)
namespace sagcl::tools {

struct TrainPoint {
  std::int64_t step = 0;
  double loss = 0, seconds = 0;         ///< seconds: of this one step
  std::map<std::string, double> terms;  ///< unweighted loss terms
  std::map<std::string, double> other;  ///< every other number of the line: ramp, lr, theta, …
};

struct ValidationPoint {
  std::int64_t step = 0;
  std::string network;
  double dice = 0;
  std::vector<double> per_class;
  std::string cases = "validation";  ///< or "test"
};

struct GradientPoint {
  std::int64_t step = 0;
  semiagcl::TermGradients gradients;
};

struct HashPoint {
  std::int64_t step = 0;
  semiagcl::TensorHashes hashes;
};

using Table = std::vector<std::pair<std::string, std::string>>;  ///< name, value

struct RunRecord {
  std::filesystem::path folder;
  semiagcl::RunSettings settings;
  std::string config, command;  ///< the texts as they are
  Table environment, status;    ///< flattened: "cpu.model"
  std::vector<TrainPoint> train;
  std::vector<ValidationPoint> validation;
  std::vector<GradientPoint> gradients;
  std::vector<HashPoint> hashes;
  std::optional<Evaluation> evaluation;
  std::optional<std::int64_t> labelled, unlabelled, test;  ///< cases, from split.json

  std::string name() const;    ///< of the folder
  std::int64_t steps() const;  ///< done
  double seconds() const;      ///< of training: from the status, else from the steps; NaN if neither says
};

/// Reads what is there. config.toml must be (MissingInput); every other part may be absent, but what is there must be
/// readable: DataError names the file and the line. A last line of metrics.jsonl that was cut off is passed over, and where
/// a resumed run wrote a step again the later line counts.
RunRecord read_run(const std::filesystem::path& folder);

/// metrics.jsonl alone: fills train, validation and gradients.
void parse_metrics(const std::string& text, const std::string& name, RunRecord& run);

/// Lines of metrics.jsonl about watched tensors and hashes; and the tensors as NAME.npy, with "/" and ":" as "_".
std::string watch_line(std::int64_t step, const std::vector<semiagcl::WatchedTensor>& watched);
void write_npy_files(const std::filesystem::path& folder, const std::vector<semiagcl::WatchedTensor>& watched);
std::string hashes_line(const HashPoint& point);
HashPoint hash_point(const std::string& line, const std::string& where);

/// A line of metrics.jsonl about gradients, and back; DataError begins with `where`.
std::string gradients_line(const GradientPoint& point);
GradientPoint gradient_point(const std::string& line, const std::string& where);

}  // namespace sagcl::tools
