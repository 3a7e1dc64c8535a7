#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "tools/run/run_folder.h"

namespace sagcl::tools {

struct ReportSpec {
  /// other run folders for the comparison table, in order, behind the run itself
  std::vector<std::filesystem::path> compare;
  std::string expectation;  ///< one sentence on what to expect; empty: that of the run's settings
};

/// Writes <run>/report.html, one file that needs neither network nor JavaScript: key figures, comparison of runs, overlays
/// of test cases (the best, median and worst; beside other runs those where it is furthest ahead of and behind the first of
/// them), curves of every loss term and of the validation Dice, looks at the method, gradients of the terms, a table of all
/// cases, settings, environment and command. Parts that the run does not have are left out or said to be missing. Returns
/// the file. Throws what read_run throws, IoError if the file cannot be written.
std::filesystem::path write_report(const std::filesystem::path& run, const ReportSpec& spec = {});

/// The page's text; `write_report` without the file.
std::string report_page(const std::filesystem::path& run, const ReportSpec& spec = {});

// Its sections, each a piece of HTML.
std::string key_figures(const RunRecord& run);
/// the comparison as plain text: foreground means on the test cases
std::string comparison_text(const std::vector<RunRecord>& runs);
std::string comparison_section(const std::vector<RunRecord>& runs);
/// "RUN recovers 40 % of the gap between supervised training (56.6) and all labels (82.0).": of the first run, if others are
/// supervised training with as few labels and without unlabelled cases (of several the best); else empty. Both texts above
/// hold it.
std::string gap_text(const std::vector<RunRecord>& runs);
std::string curves_section(const RunRecord& run);
/// loss and Dice of held-out cases over the steps, as one picture outside the page
std::string progress_png(const RunRecord& run);
/// pictures of the gradients of each term; empty if the run wrote none down
std::string gradients_section(const RunRecord& run);
/// what an affinity graph and chosen patches looked like over the run; empty if nobody looked (run/method_look.h)
std::string method_section(const RunRecord& run);
/// of the first run, with the others' pictures of the same cases beside
std::string overlays_section(const std::vector<RunRecord>& runs);
std::string cases_section(const Evaluation& evaluation);
std::string details_section(const RunRecord& run);

/// "semi-agcl, 8 labelled": how a run is called in tables and pictures.
std::string run_label(const RunRecord& run);

extern const char* const report_style;  ///< the pages' CSS
/// A page with this style; `body` begins with its heading.
std::string html_page(const std::string& title, const std::string& body);

}  // namespace sagcl::tools
