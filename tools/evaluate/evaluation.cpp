#include "tools/evaluate/evaluation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "datasets/volume.h"
#include "tools/programs/text_table.h"

namespace sagcl::tools {

namespace {

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();
constexpr double Agreement::*fields[] = {&Agreement::dice, &Agreement::jaccard, &Agreement::hd95, &Agreement::asd,
                                         &Agreement::assd};

/// Field by field, the mean over what is defined.
template <class Each>
Agreement mean_of(std::size_t n, Each&& each) {
  Agreement mean;
  for (double Agreement::*field : fields) {
    double sum = 0, count = 0;
    for (std::size_t i = 0; i < n; ++i)
      if (const double v = each(i).*field; std::isfinite(v)) sum += v, ++count;
    mean.*field = count > 0 ? sum / count : undefined;
  }
  return mean;
}

/// A plane [1, H, W] is an image to the metrics: its surface has four neighbours.
Tensor without_depth_of_one(const Tensor& mask) {
  const auto& s = mask.shape();
  return s.rank() == 3 && s[0] == 1 ? mask.reshape({s[1], s[2]}) : mask;
}

}  // namespace

double CaseResult::foreground_dice() const {
  return mean_of(classes.size(), [&](std::size_t k) { return classes[k].scores; }).dice;
}

bool Evaluation::in_no_mask(std::size_t k) const {
  return std::all_of(cases.begin(), cases.end(), [&](const CaseResult& c) { return c.classes[k].status == "both_empty"; });
}

std::vector<std::size_t> Evaluation::by_dice() const {
  std::vector<std::size_t> order(cases.size());
  std::iota(order.begin(), order.end(), std::size_t(0));
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return cases[a].foreground_dice() < cases[b].foreground_dice(); });
  return order;
}

namespace {

/// A mask in which the voxels that nobody annotated in the reference are background.
Tensor annotated_part(const Tensor& mask, const Tensor& reference) {
  const std::uint8_t* r = reference.data<std::uint8_t>();
  if (std::find(r, r + reference.size(), datasets::not_annotated) == r + reference.size()) return mask;
  Tensor part = mask.clone();
  for (std::int64_t i = 0; i < part.size(); ++i)
    if (r[i] == datasets::not_annotated) part.data<std::uint8_t>()[i] = 0;
  return part;
}

}  // namespace

std::string units(const std::string& unit) { return unit == "mm" ? unit : unit + "s"; }

void require_voxel_size(const Evaluation& e, const std::string& id, bool measured) {
  engine::require<engine::DataError>(
      measured || e.unit != "mm",
      "case {}: its files do not say how large a voxel is, so distances in mm are unknown: take voxels (--unit voxel, in a "
      "training evaluation.millimetres = false)",
      id);
}

void add_case(Evaluation& e, const std::string& id, const Tensor& prediction, const Tensor& reference,
              const std::array<double, 3>& spacing) {
  engine::require(prediction.shape() == reference.shape(), "case {}: the prediction has extents {}, the reference {}", id,
                  prediction.shape(), reference.shape());
  const Tensor p = without_depth_of_one(annotated_part(prediction, reference)),
               r = without_depth_of_one(annotated_part(reference, reference));
  const semiagcl::MetricSpec spec{.spacing = e.unit == "mm" ? spacing : std::array<double, 3>{1, 1, 1},
                                  .empty = semiagcl::EmptyRule::undefined};
  CaseResult result{id, {}};
  for (std::size_t k = 1; k <= e.classes.size(); ++k) {
    const semiagcl::CaseScores s =
        semiagcl::score(semiagcl::mask_of(p, std::int64_t(k)), semiagcl::mask_of(r, std::int64_t(k)), spec);
    const char* status = s.empty_prediction && s.empty_truth ? "both_empty"
                         : s.empty_prediction                ? "empty_prediction"
                         : s.empty_truth                     ? "empty_reference"
                                                             : "ok";
    result.classes.push_back({s, status});
  }
  e.cases.push_back(std::move(result));
}

std::vector<double> dice_per_class(const Tensor& prediction, const Tensor& reference, std::int64_t classes) {
  const Tensor p = annotated_part(prediction, reference), r = annotated_part(reference, reference);
  std::vector<double> dice;
  for (std::int64_t k = 1; k <= classes; ++k)
    dice.push_back(semiagcl::dice(semiagcl::mask_of(p, k), semiagcl::mask_of(r, k)));
  return dice;
}

void summarise(Evaluation& e) {
  e.mean.clear();
  e.empty_predictions = 0;
  std::vector<Agreement> occurring;
  for (std::size_t k = 0; k < e.classes.size(); ++k) {
    e.mean.push_back(mean_of(e.cases.size(), [&](std::size_t i) { return e.cases[i].classes[k].scores; }));
    if (!e.in_no_mask(k)) occurring.push_back(e.mean.back());
    for (const CaseResult& c : e.cases) e.empty_predictions += c.classes[k].status == "empty_prediction";
  }
  e.foreground_mean = mean_of(occurring.size(), [&](std::size_t i) { return occurring[i]; });
}

std::string to_text(const Evaluation& e) {
  TextTable table({"case", "class", "Dice %", "Jaccard %", "HD95", "ASD", "ASSD", ""});
  const auto row = [&](const std::string& id, const std::string& name, const Agreement& s, const std::string& note) {
    table.row(
        {id, name, number(100 * s.dice), number(100 * s.jaccard), number(s.hd95), number(s.asd), number(s.assd), note});
  };
  for (const CaseResult& c : e.cases)
    for (std::size_t k = 0; k < c.classes.size(); ++k)
      row(k == 0 ? c.id : "", e.classes[k], c.classes[k].scores, c.classes[k].status == "ok" ? "" : c.classes[k].status);
  table.rule();
  for (std::size_t k = 0; k < e.mean.size(); ++k)
    row(k == 0 ? fmt::format("mean of {}", e.cases.size()) : "", e.classes[k], e.mean[k],
        e.in_no_mask(k) ? "in no mask: not in the mean" : "");
  if (e.mean.size() > 1) row("", "all classes", e.foreground_mean, "");
  return table.text() + fmt::format("distances in {}; empty predictions: {}\n", units(e.unit), e.empty_predictions);
}

}  // namespace sagcl::tools
