#pragma once
#include "tools/bench/paper_plan.h"

/// sagcl-bench paper: runs a table of the paper on a data set and writes it beside the printed one.
namespace sagcl::tools {

/// Starts what is not finished yet, several runs side by side; a run that was interrupted is resumed. After every run
/// table-<number>.md, .csv and .svg in `out` are written again with what there is; <run>.txt is what a run said. A run that
/// ended at a NaN is "not finite" in its row and does not stop the others; any other failure does. A signal stops all runs,
/// which save. Returns the exit code: that of the failed run, or 130 and 143 after a signal.
int run_paper_table(const PaperBench& bench);

}  // namespace sagcl::tools
