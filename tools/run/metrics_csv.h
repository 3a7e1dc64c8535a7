#pragma once
#include <string>

#include "tools/run/run_folder.h"

namespace sagcl::tools {

/// The steps of a run as a table for spreadsheets (RFC 4180): a row per step with "step", "loss", "loss.sup", … for the
/// terms, "lr", "theta", … as in metrics.jsonl, "seconds", "dice.validation.student", and of several classes
/// "dice.validation.student.1", …. Columns stand in the order in which their first values came: a run that grows only adds
/// some at the end. What is missing or not finite is empty.
std::string metrics_csv(const RunRecord& run);

}  // namespace sagcl::tools
