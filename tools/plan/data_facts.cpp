#include "tools/plan/data_facts.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include "datasets/case_remarks.h"
#include "datasets/load.h"
#include "datasets/text.h"
#include "engine/parallel.h"
#include "tools/programs/progress.h"
#include "tools/programs/signals.h"

namespace sagcl::tools {

using datasets::Case;
using datasets::Image;
using engine::Extents;
using engine::Tensor;

namespace {

template <class T>
T median_of(std::vector<T> v) {
  std::nth_element(v.begin(), v.begin() + std::ptrdiff_t(v.size() / 2), v.end());
  return v[v.size() / 2];
}

/// Numbers of a kind for D, H and W, case by case.
template <class T>
struct Columns {
  std::array<std::vector<T>, 3> of;
  template <class Triple>
  void add(const Triple& v) {
    for (int a = 0; a < 3; ++a) of[std::size_t(a)].push_back(v[std::size_t(a)]);
  }
  template <class Triple>
  void summarise(Triple& middle, Triple& least, Triple& most) const {
    for (int a = 0; a < 3; ++a) {
      const auto& v = of[std::size_t(a)];
      middle[a] = median_of(v), least[a] = *std::min_element(v.begin(), v.end()),
      most[a] = *std::max_element(v.begin(), v.end());
    }
  }
};

/// At most so many values of a stream, evenly thinned out, for quantiles.
class Thinned {
 public:
  void add(float v) {
    if (n_++ % every_ != 0) return;
    kept_.push_back(v);
    if (kept_.size() < most) return;
    for (std::size_t i = 0; i < kept_.size() / 2; ++i) kept_[i] = kept_[2 * i];
    kept_.resize(kept_.size() / 2), every_ *= 2;
  }
  double quantile(double q) {
    if (kept_.empty()) return 0;
    const auto at = kept_.begin() + std::ptrdiff_t(q * double(kept_.size() - 1));
    std::nth_element(kept_.begin(), at, kept_.end());
    return *at;
  }
  double mean() const {
    double sum = 0;
    for (const float v : kept_) sum += v;
    return kept_.empty() ? 0 : sum / double(kept_.size());
  }
  double deviation() const {
    const double m = mean();
    double sum = 0;
    for (const float v : kept_) sum += (v - m) * (v - m);
    return kept_.empty() ? 0 : std::sqrt(sum / double(kept_.size()));
  }

 private:
  static constexpr std::size_t most = 1 << 20;
  std::vector<float> kept_;
  std::size_t n_ = 0, every_ = 1;
};

/// What is looked for in one case. `values`: of the labelled voxels, in order; empty without a label.
struct Look {
  engine::Shape shape;
  datasets::Geometry geometry;
  double lowest = std::numeric_limits<double>::infinity(), highest = -lowest, annotated = 0;
  bool whole_numbers = true;
  std::vector<double> voxels;  // per class
  std::vector<float> values = {};
  datasets::Remarks remarks = {};
  std::string digest = {};
};

Look look(const datasets::Dataset& data, const Case& one, bool with_label) {
  const Image image = datasets::load_image(one, data.channels);
  Look l{.shape = image.voxels.shape(), .geometry = image.geometry, .voxels = std::vector<double>(data.classes.size())};
  const float* const x = image.voxels.data<float>();
  for (std::int64_t i = 0; i < image.voxels.size(); ++i) {
    l.lowest = std::min(l.lowest, double(x[i])), l.highest = std::max(l.highest, double(x[i]));
    l.whole_numbers = l.whole_numbers && x[i] == std::floor(x[i]);
  }
  l.digest = datasets::digest_of(image);
  if (!with_label) {
    l.remarks = datasets::remarks_of(one, image);
    return l;
  }
  const datasets::Label read = datasets::load_label(one, image, data.labels, data.n_classes());
  l.remarks = datasets::remarks_of(one, image, &read);
  const Tensor& label = read.classes;
  for (std::int64_t i = 0; i < label.size(); ++i) {
    const std::uint8_t k = label.data<std::uint8_t>()[i];
    if (k == datasets::not_annotated) continue;
    ++l.voxels[k], ++l.annotated;
    if (k > 0) l.values.push_back(x[i * l.shape[3]]);
  }
  return l;
}

class Looking {
 public:
  explicit Looking(const datasets::Dataset& data) {
    facts_.channels = data.channels, facts_.channel_names = data.channel_names, facts_.classes = data.classes;
    facts_.share.assign(data.classes.size(), 0);
    facts_.measured = true;
    facts_.lowest = std::numeric_limits<double>::infinity(), facts_.highest = -facts_.lowest;
  }

  void add(const std::string& id, const Look& l) {
    extents_.add(std::array{l.shape[0], l.shape[1], l.shape[2]}), spacings_.add(l.geometry.spacing);
    facts_.cases.push_back({id, {{l.shape[0], l.shape[1], l.shape[2]}}, l.geometry.spacing, l.lowest, l.highest});
    facts_.measured = facts_.measured && l.geometry.measured;
    facts_.orientations.add(id, l.geometry);
    facts_.lowest = std::min(facts_.lowest, l.lowest), facts_.highest = std::max(facts_.highest, l.highest);
    facts_.whole_numbers = facts_.whole_numbers && l.whole_numbers;
    for (std::size_t k = 0; k < l.voxels.size(); ++k) facts_.share[k] += l.voxels[k];
    annotated_ += l.annotated;
    for (const float v : l.values) foreground_.add(v);
    for (const std::string& text : l.remarks) facts_.remarks.push_back(fmt::format("case {}: {}", id, text));
    if (const std::string text = twins_.add(id, l.digest); !text.empty())
      facts_.remarks.push_back(fmt::format("case {}: {}", id, text));
  }

  DataFacts facts() {
    extents_.summarise(facts_.extents, facts_.smallest, facts_.largest);
    spacings_.summarise(facts_.spacing, facts_.finest, facts_.coarsest);
    for (double& share : facts_.share) share /= std::max(annotated_, 1.0);
    facts_.low = foreground_.quantile(0.005), facts_.high = foreground_.quantile(0.995);
    facts_.mean = foreground_.mean(), facts_.deviation = foreground_.deviation();
    return facts_;
  }

 private:
  DataFacts facts_;
  Columns<std::int64_t> extents_;
  Columns<double> spacings_;
  Thinned foreground_;
  datasets::TwinImages twins_;
  double annotated_ = 0;
};

}  // namespace

DataFacts look_at(const datasets::Dataset& data, const datasets::Split& split) {
  Looking looking(data);
  Progress progress({.label = "look", .total = std::int64_t(split.labelled.size() + split.unlabelled.size())});
  std::int64_t done = 0;
  const auto add = [&](const std::vector<std::string>& ids, bool with_label) {
    engine::make_in_order(
        std::int64_t(ids.size()),
        [&](std::int64_t i) { return look(data, datasets::find_case(data, ids[std::size_t(i)]), with_label); },
        [&](std::int64_t i, const Look& l) {
          leave_if_asked();
          looking.add(ids[std::size_t(i)], l);
          progress.update(++done, ids[std::size_t(i)]);
        });
  };
  add(split.labelled, true), add(split.unlabelled, false);
  progress.finish();
  DataFacts facts = looking.facts();
  facts.labelled = std::int64_t(split.labelled.size()), facts.unlabelled = std::int64_t(split.unlabelled.size());
  facts.test = std::int64_t(split.test.size());
  std::set<std::string> patients;
  for (const auto* ids : {&split.labelled, &split.unlabelled})
    for (const std::string& id : *ids) patients.insert(datasets::find_case(data, id).patient);
  facts.patients = std::int64_t(patients.size());
  return facts;
}

bool is_unnamed(const DataFacts& f) {
  return f.channel_names.empty() || datasets::lower(f.channel_names[0]).starts_with("channel");
}

bool is_ct(const DataFacts& f) {
  if (f.channels != 1) return false;
  if (!is_unnamed(f)) {
    std::string words = " " + datasets::lower(f.channel_names[0]) + " ";
    std::replace_if(
        words.begin(), words.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, ' ');
    return words.find(" ct ") != std::string::npos;
  }
  const auto reaching = std::count_if(f.cases.begin(), f.cases.end(), [](const DataFacts::One& one) {
    return one.lowest >= -3100 && one.lowest <= -900 && one.highest > 100;
  });
  return f.whole_numbers && 2 * std::size_t(reaching) > f.cases.size();
}

std::vector<std::string> not_in_hounsfield(const DataFacts& f) {
  std::vector<std::string> all;
  if (!is_ct(f)) return all;
  for (const DataFacts::One& one : f.cases) {
    const bool shifted = one.lowest >= 0 && one.highest > 800, scaled = one.highest - one.lowest <= 2;
    if (shifted || scaled)
      all.push_back(
          fmt::format("case {}: its values lie from {:.6g} to {:.6g}, which are no Hounsfield units: {}; bring it "
                      "to them",
                      one.id, one.lowest, one.highest, shifted ? "an offset of 1024?" : "scaled?"));
  }
  return all;
}

Extents median_extents_at(const DataFacts& f, const datasets::Spacing& spacing) {
  Columns<std::int64_t> extents;
  for (const DataFacts::One& one : f.cases) extents.add(datasets::extents_at(one.extents, one.spacing, spacing));
  Extents median, least, most;
  extents.summarise(median, least, most);
  return median;
}

std::vector<std::string> sentences(const DataFacts& f) {
  const auto mm = [](const datasets::Spacing& s) { return fmt::format("{:.3g} x {:.3g} x {:.3g}", s[0], s[1], s[2]); };
  std::vector<std::string> all = {
      fmt::format(
          "{} labelled and {} unlabelled cases of {} patient{}, {} test cases; {} channel{}{}, classes {}", f.labelled,
          f.unlabelled, f.patients, f.patients == 1 ? "" : "s", f.test, f.channels, f.channels == 1 ? "" : "s",
          f.channel_names.empty() ? "" : fmt::format(" ({})", fmt::join(f.channel_names, ", ")), fmt::join(f.classes, ", ")),
      fmt::format("extents D x H x W: median {}, from {} to {}", engine::to_string(f.extents), engine::to_string(f.smallest),
                  engine::to_string(f.largest)),
      f.measured ? fmt::format("voxels in mm: median {}, from {} to {}", mm(f.spacing), mm(f.finest), mm(f.coarsest))
                 : "the files do not say how large a voxel is",
      fmt::format("values from {:.6g} to {:.6g}{}; in labelled voxels {:.5g} to {:.5g} (0.5 and 99.5 %), mean {:.5g}, "
                  "deviation {:.5g}",
                  f.lowest, f.highest, f.whole_numbers ? ", whole numbers" : "", f.low, f.high, f.mean, f.deviation)};
  if (f.orientations.differ()) all.push_back(f.orientations.warning());
  std::string shares;
  for (std::size_t k = 1; k < f.share.size(); ++k)
    shares += fmt::format("{}{} {:.3g} %", shares.empty() ? "" : ", ", f.classes[k], 100 * f.share[k]);
  all.push_back("of the annotated voxels: " + shares);
  std::vector<std::string> remarks = not_in_hounsfield(f);
  remarks.insert(remarks.end(), f.remarks.begin(), f.remarks.end());
  constexpr std::size_t most = 10;
  for (std::size_t i = 0; i < std::min(most, remarks.size()); ++i) all.push_back("warning: " + remarks[i]);
  if (remarks.size() > most)
    all.push_back(fmt::format("and {} more warnings: sagcl-data check lists most", remarks.size() - most));
  return all;
}

}  // namespace sagcl::tools
