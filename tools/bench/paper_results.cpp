#include "tools/bench/paper_results.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include "semiagcl/training/warm_up.h"
#include "tools/bench/bench.h"
#include "tools/evaluate/label_gap.h"

namespace sagcl::tools {
namespace {

const RowResult* find(const std::vector<RowResult>& all, Role role, const std::string& labelled) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const RowResult& r) {
    return r.planned.role == role && r.labelled == labelled && !r.seeds.empty();
  });
  return found == all.end() ? nullptr : &*found;
}

const SeedResult* at_seed(const RowResult& row, const std::string& seed) {
  for (const SeedResult& s : row.seeds)
    if (s.seed == seed) return &s;
  return nullptr;
}

double status_number(const RunRecord& run, const std::string& name) {
  for (const auto& [key, value] : run.status)
    if (key == name) return std::strtod(value.c_str(), nullptr);
  return NAN;
}

double step_milliseconds(const RunRecord& run) {
  const auto& s = run.settings;
  const std::int64_t begin = s.train.method == "supervised" ? 0 : semiagcl::warm_up_steps(s.train.steps, s.method);
  std::vector<double> times;
  for (const TrainPoint& p : run.train)
    if (p.step > begin) times.push_back(1e3 * p.seconds);
  return times.empty() ? NAN : median(times);
}

}  // namespace

std::optional<SeedResult> seed_result(const RunRecord& run, const std::string& seed) {
  if (!run.evaluation) return std::nullopt;
  const Agreement& s = run.evaluation->foreground_mean;
  return SeedResult{seed,
                    {100 * s.dice, 100 * s.jaccard, s.hd95, s.asd},
                    run.seconds() / 60,
                    step_milliseconds(run),
                    status_number(run, "peak_MiB"),
                    status_number(run, "parameters") / 1e6};
}

std::vector<double> column(const RowResult& row, double Figures::*field) {
  std::vector<double> values;
  for (const SeedResult& s : row.seeds) values.push_back(s.figures.*field);
  return values;
}

std::vector<double> column(const RowResult& row, double SeedResult::*field) {
  std::vector<double> values;
  for (const SeedResult& s : row.seeds) values.push_back(s.*field);
  return values;
}

double mean(const std::vector<double>& v) {
  return v.empty() ? NAN : std::accumulate(v.begin(), v.end(), 0.0) / double(v.size());
}

double deviation(const std::vector<double>& v) {
  if (v.size() < 2) return NAN;
  double sum = 0;
  for (double x : v) sum += (x - mean(v)) * (x - mean(v));
  return std::sqrt(sum / double(v.size() - 1));
}

std::vector<double> paired_differences(const RowResult& row, const std::vector<RowResult>& all) {
  const RowResult* reference = find(all, Role::supervised_pasted, row.labelled);
  std::vector<double> differences;
  if (!reference || row.planned.role == Role::supervised_pasted) return differences;
  for (const SeedResult& s : row.seeds)
    if (const SeedResult* other = at_seed(*reference, s.seed)) differences.push_back(s.figures.dice - other->figures.dice);
  return differences;
}

double gap_share(const RowResult& row, const std::vector<RowResult>& all) {
  const RowResult* ceiling = find(all, Role::all_labels, "all");
  std::vector<const RowResult*> rows;
  for (const Role role : {Role::supervised, Role::supervised_pasted})
    if (const RowResult* r = find(all, role, row.labelled)) rows.push_back(r);
  if (row.planned.role != Role::method || rows.empty() || !ceiling) return NAN;
  rows.insert(rows.begin(), {&row, ceiling});
  std::vector<double> sums(rows.size());
  double seeds = 0;
  for (const SeedResult& s : row.seeds) {
    std::vector<double> dice;
    for (const RowResult* r : rows)
      if (const SeedResult* same = at_seed(*r, s.seed)) dice.push_back(same->figures.dice);
    if (dice.size() < rows.size()) continue;
    for (std::size_t i = 0; i < dice.size(); ++i) sums[i] += dice[i];
    ++seeds;
  }
  if (seeds == 0) return NAN;
  return recovered_share(sums[0] / seeds, *std::max_element(sums.begin() + 2, sums.end()) / seeds, sums[1] / seeds);
}

}  // namespace sagcl::tools
