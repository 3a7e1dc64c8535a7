#include <CLI/CLI.hpp>

#include "tools/programs/program.h"
#include "tools/report/report.h"

// sagcl-report: one self-contained page about a run, and beside others.
using namespace sagcl;

int main(int argc, char** argv) {
  CLI::App app(
      "Writes report.html into a run folder: figures, curves, pictures, tables, settings. It needs neither network nor\n"
      "JavaScript. The file's path goes to standard output.");
  std::string run;
  std::vector<std::string> compare;
  tools::ReportSpec spec;
  app.add_option("run", run, "run folder, as given to sagcl-train --out")->required()->type_name("RUN");
  app.add_option("--compare", compare, "other run folders for the comparison table")->type_name("RUN ...");
  app.add_option("--expectation", spec.expectation, "one sentence shown at the top (default: the one of the run's preset)");
  return tools::run_program(app, argc, argv,
                            "  sagcl-report runs/h8-agcl\n"
                            "  sagcl-report runs/h8-agcl --compare runs/h8-supervised runs/full\n",
                            [&] {
                              spec.compare.assign(compare.begin(), compare.end());
                              for (const auto& other : compare) tools::require_folder(other, "--compare");
                              tools::require_folder(run, "RUN");
                              if (!compare.empty()) {
                                std::vector<tools::RunRecord> runs = {tools::read_run(run)};
                                for (const auto& other : compare) runs.push_back(tools::read_run(other));
                                fmt::print("{}", tools::comparison_text(runs));
                              }
                              fmt::print("{}\n", tools::write_report(run, spec).string());
                              return int(tools::exit_ok);
                            });
}
