#include <CLI/CLI.hpp>

#include <set>

#include "datasets/check.h"
#include "datasets/convert.h"
#include "datasets/split.h"
#include "engine/files/atomic_file.h"
#include "engine/parallel.h"
#include "tools/plan/plan.h"
#include "tools/programs/program.h"
#include "tools/report/html.h"
#include "tools/report/overlay.h"
#include "tools/run/run_data.h"

// sagcl-data: looks at data sets, converts and divides them.
using namespace sagcl;

namespace {

struct Options {
  int threads = 0;
  std::string folder, label_map, pictures, to, out, replace_nan;
  bool fix_affine = false;
  std::string orientation;
  semiagcl::RunSettings settings;  // of split, and the fold of plan
  tools::PlanWishes wishes;        // of plan
  std::string time = "20m";
};

std::optional<datasets::LabelRule> rule_of(const Options& o) {
  if (o.label_map.empty()) return {};
  return datasets::parse_label_rule(o.label_map);
}

datasets::Dataset opened(const Options& o) {
  datasets::Dataset d = datasets::open_dataset(o.folder, {.labels = rule_of(o)});
  for (const std::string& text : d.warnings) tools::say("warning: " + text);
  return d;
}

/// One page with a picture of every case and its label.
class Pictures {
 public:
  void add(const datasets::Case& one, const datasets::Image& image, const engine::Tensor& classes) {
    const auto& s = image.voxels.shape();
    const engine::Tensor none = engine::Tensor::zeros({s[0], s[1], s[2]}, engine::Dtype::u8);
    page_ += fmt::format("<h2>{}</h2><div>", tools::escaped(one.id));
    for (const std::string& figure : tools::overlay_figures({.image = image.voxels,
                                     .prediction = none,
                                     .truth = classes.defined() ? classes : none,
                                     .spacing = image.geometry.spacing,
                                     .upside_down = image.geometry.measured}))
      page_ += figure;
    page_ += "</div>\n";
  }
  void write(const std::string& file) const {
    engine::write_file_atomically(
        file,
        "<!doctype html><meta charset=\"utf-8\"><title>Images and labels</title><style>body{background:#111;color:"
        "#ddd;font-family:sans-serif}div{display:flex;gap:1em}figure{margin:0}h2{font-size:1em}</style>\n" +
            page_);
  }

 private:
  std::string page_;
};

std::string range(const std::array<std::int64_t, 3>& low, const std::array<std::int64_t, 3>& high) {
  return low == high ? fmt::format("{}", fmt::join(low, "x"))
                     : fmt::format("{} to {}", fmt::join(low, "x"), fmt::join(high, "x"));
}

void print_summary(const datasets::DatasetReport& r) {
  fmt::print("cases     {} for training and validation ({} labelled), {} for test\n", r.cases, r.labelled, r.test);
  fmt::print("extents   {} (z, y, x)\n", range(r.smallest, r.largest));
  if (r.measured)
    fmt::print("voxels    {:.4g} x {:.4g} x {:.4g} to {:.4g} x {:.4g} x {:.4g} mm\n", r.finest[0], r.finest[1], r.finest[2],
               r.coarsest[0], r.coarsest[1], r.coarsest[2]);
}

int check(const Options& o) {
  tools::require_folder(o.folder, "DIR");
  Pictures pictures;
  const datasets::DatasetReport report =
      datasets::check_folder(o.folder, rule_of(o), [&](const auto& one, const auto& image, const auto& classes) {
        if (!o.pictures.empty()) pictures.add(one, image, classes);
      });
  std::int64_t errors = 0;
  for (const datasets::Problem& p : report.problems) {
    errors += p.fatal;
    fmt::print("{} {}{}\n", p.fatal ? "error:  " : "warning:", p.case_id.empty() ? "" : "case " + p.case_id + ": ", p.text);
  }
  print_summary(report);
  if (!o.pictures.empty()) {
    pictures.write(o.pictures);
    tools::say("pictures " + o.pictures);
  }
  fmt::print("{}: {} errors, {} warnings\n", o.folder, errors, std::int64_t(report.problems.size()) - errors);
  return report.usable() ? tools::exit_ok : tools::exit_bad_data;
}

int info(const Options& o) {
  tools::require_folder(o.folder, "DIR");
  const datasets::Dataset d = opened(o);
  std::set<std::string> patients;
  for (const auto* part : {&d.cases, &d.validation, &d.test})
    for (const datasets::Case& one : *part) patients.insert(one.patient);
  fmt::print(
      "data      {} (layout {})\nparts     {} training, {} validation, {} test cases of {} patients\nchannels  {}\nclasses  "
      " {}\n",
      d.name, d.layout, d.cases.size(), d.validation.size(), d.test.size(), patients.size(), d.channels,
      fmt::join(d.classes, ", "));
  const datasets::DatasetReport report = datasets::check_dataset(d);
  print_summary(report);
  std::int64_t all = 0;
  for (std::int64_t n : report.voxels_per_class) all += n;
  for (std::size_t k = 0; k < d.classes.size() && all > 0; ++k)
    fmt::print("class {}   {:.2f} % of labelled voxels ({})\n", k, 100 * double(report.voxels_per_class[k]) / double(all),
               d.classes[k]);
  if (!report.problems.empty())
    fmt::print("problems  {}; list them with: sagcl-data check {}\n", report.problems.size(), tools::shell_quoted(o.folder));
  return tools::exit_ok;
}

int convert(const Options& o) {
  tools::require_folder(o.folder, "DIR");
  datasets::ConvertOptions options{.fix_affine = o.fix_affine, .replace_nan = {}, .orientation = o.orientation};
  if (!o.orientation.empty()) datasets::check_orientation(o.orientation, "--orientation");
  if (!o.replace_nan.empty()) options.replace_nan = std::stof(o.replace_nan);
  const datasets::Dataset d = opened(o);
  std::int64_t cases = 0;
  datasets::convert_dataset(d, o.to, options, [&](const datasets::Case& one, const std::string& changes) {
    ++cases;
    fmt::print("{}{}\n", one.id, changes.empty() ? "" : ": " + changes);
  });
  tools::say(fmt::format("wrote {} cases to {}", cases, o.to));
  tools::say_next("sagcl-data check " + tools::shell_quoted(o.to));
  return tools::exit_ok;
}

int split(const Options& o) {
  tools::require_folder(o.folder, "DIR");
  const datasets::Dataset d = opened(o);
  const datasets::Split s = datasets::make_split(d, tools::split_rule(o.settings));
  datasets::write_split(o.out, d, s);
  fmt::print("{} labelled, {} unlabelled, {} validation, {} test cases; written with the hash of every case to {}\n",
             s.labelled.size(), s.unlabelled.size(), s.validation.size(), s.test.size(), o.out);
  tools::say_next(fmt::format("sagcl-train --preset NAME --data {} --split {} --out RUN", tools::shell_quoted(o.folder),
                              tools::shell_quoted(o.out)));
  return tools::exit_ok;
}

int plan(const Options& o) {
  tools::require_folder(o.folder, "DIR");
  tools::PlanWishes wishes = o.wishes;
  wishes.folder = o.folder, wishes.minutes = tools::minutes_of(o.time);
  if (!o.label_map.empty()) wishes.set.push_back("data.label_map=" + o.label_map);
  if (!o.settings.data.fold.empty()) wishes.set.push_back("data.fold=" + o.settings.data.fold);
  if (o.threads > 0) engine::set_threads(o.threads);
  fmt::print("{}", to_toml(tools::make_plan(wishes)));
  tools::say_next(fmt::format("sagcl-train --config plan.toml --data {} --out RUN, with this in plan.toml",
                              tools::shell_quoted(o.folder)));
  return tools::exit_ok;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Looks at data sets, converts and divides them. DIR is a folder in any layout that sagcl-train reads (nnU-Net, LA, "
      "ACDC, SSL4MIS,\n"
      "CRAG, EBHI-Seg, Sunnybrook).");
  Options o;
  app.require_subcommand(1);
  std::map<std::string, std::function<int()>> verbs;
  const auto verb = [&](const char* name, const char* what, int (*run)(const Options&)) {
    CLI::App* sub = app.add_subcommand(name, what);
    sub->add_option("DIR", o.folder, "folder of the data set")->required();
    sub->add_option("--label-map", o.label_map,
                    "what stored label values mean: 0:0,255:1 (value:class), cut:128, or instances")
        ->type_name("RULE");
    verbs[name] = [&o, run] { return run(o); };
    return sub;
  };
  verb("check", "lists every problem with its remedy; exit code 65 if there is one to repair", check)
      ->add_option("--pictures", o.pictures, "write a page with a picture of every case and its label")
      ->type_name("FILE.html");
  verb("info", "what is in it: parts, patients, extents, voxel sizes, classes", info);
  CLI::App* c = verb("convert", "writes NIfTI files in nnU-Net's layout, the geometry kept", convert);
  c->add_option("--to", o.to, "new folder")->required()->type_name("NEW");
  c->add_option("--orientation", o.orientation,
                "turn voxels so that x, y, z grow to these sides of the patient, as RAS: right, front, head");
  c->add_flag("--fix-affine", o.fix_affine, "turn sheared voxel axes to right angles, changing them least");
  c->add_option("--replace-nan", o.replace_nan, "this value instead of voxels that are NaN or infinite")
      ->type_name("VALUE")
      ->check(CLI::Number);
  CLI::App* s = verb("split", "divides the patients and writes the parts with the hash of every case", split);
  s->add_option("--out", o.out, "file to write")->required()->type_name("FILE.json");
  s->add_option("--labelled,--labeled", o.settings.data.labelled, "labelled training cases: a count, a share, or ids a,b,c")
      ->capture_default_str();
  s->add_option("--test", o.settings.data.test, "patients for the test: a count, a share, or ids")->capture_default_str();
  s->add_option("--validation", o.settings.data.validation, "patients for validation, as --test")->capture_default_str();
  s->add_option("--fold", o.settings.data.fold, "0/5 to 4/5: this part of the labelled patients is for validation, instead");
  s->add_option("--pick", o.settings.data.split_pick, "which patients: last, every, seeded")->capture_default_str();
  s->add_option("--labelled-pick,--labeled-pick", o.settings.data.labelled_pick,
                "which of them: first, spread, seeded, block (whole patients; --seed says which)")
      ->capture_default_str();
  s->add_option("--seed", o.settings.train.seed, "of the seeded picks and the block")->capture_default_str();
  CLI::App* p =
      verb("plan", "settings for a training on it, each with its reason: what sagcl-train takes without --preset", plan);
  p->add_option("--time", o.time, "what the training may take, 90s, 30m or 2h")->capture_default_str();
  p->add_option("--labelled,--labeled", o.wishes.labelled, "labelled training cases: a count, a share, or ids a,b,c")
      ->capture_default_str();
  p->add_option("--fold", o.settings.data.fold, "0/5 to 4/5: as sagcl-train will have it");
  p->add_option("--threads", o.threads, "CPU threads that steps are measured with (default: all)")
      ->check(CLI::Range(1, 1024));
  p->add_option("--device", o.wishes.device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  p->add_option("--set", o.wishes.set, "one setting that the plan keeps, key=value; may be repeated")
      ->allow_extra_args(false);
  return tools::run_program(app, argc, argv,
                            "  sagcl-data plan DIR --labelled 8 --time 30m > plan.toml\n"
                            "  sagcl-data check DIR --pictures check.html\n"
                            "  sagcl-data convert DIR --to NEW --label-map 0:0,255:1\n"
                            "  sagcl-data split DIR --out split.json --labelled 0.1 --test 0.2 --pick seeded\n",
                            [&] { return verbs.at(app.get_subcommands().front()->get_name())(); });
}
