#include "tools/inspect/watch.h"

#include <nlohmann/json.hpp>

#include "semiagcl/training/tensor_statistics.h"
#include "tools/programs/json_text.h"
#include "tools/programs/text_table.h"
#include "tools/run/run_folder.h"

namespace sagcl::tools {

std::string watch(InspectedStep& subject, const std::vector<std::string>& patterns, const std::filesystem::path& npy,
                  bool json) {
  const std::int64_t step = subject.step();
  const std::string about = subject.text();
  const semiagcl::TensorWatch all = subject.trainer().watch(patterns);
  const semiagcl::Watched& seen = all.seen;
  if (patterns.empty()) {
    if (json) return json_text(nlohmann::json{{"step", step}, {"names", all.names}}) + "\n";
    return fmt::format("{}\n\n{}\n", about, fmt::join(all.names, "\n"));
  }
  engine::require<engine::MissingInput>(seen.without.empty(), "nothing in {} fits {}; without --name all names are listed",
                                        about, fmt::join(seen.without, ", "));
  if (!npy.empty()) write_npy_files(npy, seen.tensors);
  if (json) return watch_line(step, seen.tensors) + "\n";
  TextTable table({"tensor", "shape", "min", "max", "mean", "std", "norm", "zeros", "not finite"});
  for (const auto& [name, value] : seen.tensors) {
    const semiagcl::TensorStatistics s = semiagcl::statistics_of(value);
    const auto digits = [](double v) { return fmt::format("{:.4g}", v); };
    table.row({name, fmt::format("{}", value.shape()), digits(s.low), digits(s.high), digits(s.mean), digits(s.deviation),
               digits(s.norm), fmt::format("{}", s.zeros), fmt::format("{}", s.not_finite)});
  }
  return about + "\n\n" + table.text();
}

}  // namespace sagcl::tools
