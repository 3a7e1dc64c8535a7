#include <CLI/CLI.hpp>

#include "datasets/text.h"
#include "engine/parallel.h"
#include "tools/evaluate/evaluation.h"
#include "tools/evaluate/mask_folder.h"
#include "tools/evaluate/post_processing.h"
#include "tools/programs/program.h"
#include "tools/programs/progress.h"

// sagcl-eval: the figures for any two folders of masks.
using namespace sagcl;

namespace {

struct Options {
  std::string predictions, references, json, choose, unit = "voxel", map, prediction_map;
  std::int64_t classes = 0;
  std::vector<std::string> names;
  int threads = 0;
};

int evaluate(const Options& o) {
  tools::require_folder(o.predictions, "--pred");
  tools::require_folder(o.references, "--ref");
  if (o.threads > 0) engine::set_threads(o.threads);
  tools::MaskRules rules;
  if (!o.map.empty()) rules.map = datasets::parse_label_rule(o.map);
  if (!o.prediction_map.empty())
    rules.predictions = datasets::parse_label_rule(o.prediction_map == "classes" ? "" : o.prediction_map);
  tools::MaskPairs masks = tools::match_masks(o.predictions, o.references, rules);
  const bool named = !masks.names.empty() && o.names.empty() && o.classes == 0;
  const std::int64_t classes = named       ? std::int64_t(masks.names.size())
                               : o.classes ? o.classes
                                           : tools::count_classes(masks);
  tools::settle_rules(masks, rules, classes);
  engine::require<engine::UsageError>(o.names.empty() || std::int64_t(o.names.size()) == classes - 1,
                                      "--names gives {} names for {} foreground classes", o.names.size(), classes - 1);
  tools::Evaluation result;
  result.unit = o.unit;
  for (std::int64_t c = 1; c < classes; ++c)
    result.classes.push_back(named             ? masks.names[std::size_t(c)]
                             : o.names.empty() ? std::to_string(c)
                                               : o.names[std::size_t(c - 1)]);
  tools::PostProcessingChoice choice(result.classes);
  {
    tools::Progress progress({.label = "compare", .total = std::int64_t(masks.pairs.size())});
    for (const auto& pair : masks.pairs) {
      const tools::LoadedPair both = tools::load_pair(masks, pair, classes);
      tools::require_voxel_size(result, pair.id, both.measured);
      tools::add_case(result, pair.id, both.prediction, both.reference, both.spacing);
      if (!o.choose.empty()) choice.add(both.prediction, both.reference);
      progress.update(std::int64_t(result.cases.size()));
    }
  }
  tools::summarise(result);
  fmt::print("{}", tools::to_text(result));
  if (!o.json.empty()) {
    tools::write_evaluation(o.json, result);
    tools::say("wrote " + o.json);
  }
  if (!o.choose.empty()) {
    choice.write(o.choose);
    fmt::print("\n{}", choice.text());
    tools::say(fmt::format("wrote {}, chosen on {}; it says nothing about these any more, measure it on others", o.choose,
                           datasets::counted(std::int64_t(result.cases.size()), "case")));
    tools::say_next(fmt::format("sagcl-predict --checkpoint RUN --post-processing {} --input IMAGES --output MASKS",
                                tools::shell_quoted(o.choose)));
  }
  return tools::exit_ok;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Compares two folders of segmentation masks (NIfTI, NRRD, PNG, HDF5 or NumPy), matched by name: Dice, Jaccard, HD95, "
      "ASD and ASSD of\n"
      "every class and case, with MedPy's definitions. The table goes to standard output.");
  Options o;
  app.add_option("--pred", o.predictions, "folder of predicted masks")->required()->type_name("DIR");
  app.add_option("--ref", o.references, "folder of reference masks, or a data set (its labels)")
      ->required()
      ->type_name("DIR");
  app.add_option("--json", o.json, "also write the figures to this file")->type_name("FILE");
  app.add_option("--choose-post-processing", o.choose,
                 "write here which components of each class are best left out, by the Dice of these cases: give masks of\n"
                 "validation cases (sagcl-predict --part validation), never of the test")
      ->type_name("FILE.json");
  app.add_option("--unit", o.unit, "of the distances; mm uses the reference's voxel sizes")
      ->check(CLI::IsMember({"voxel", "mm"}))
      ->capture_default_str();
  app.add_option("--classes", o.classes, "number of classes, background included (default: what the masks hold)")
      ->check(CLI::Range(std::int64_t(2), std::int64_t(255)));
  app.add_option("--names", o.names, "names of the foreground classes, separated by commas")->delimiter(',');
  app.add_option("--map", o.map,
                 "what stored values mean: 0:0,255:1 (value:class), cut:128, or instances; a folder whose masks hold\n"
                 "classes already is taken as it is")
      ->type_name("RULE");
  app.add_option("--pred-map", o.prediction_map, "the same for the predictions alone, or 'classes'")->type_name("RULE");
  app.add_option("--threads", o.threads, "CPU threads (default: all)")->check(CLI::Range(1, 1024));
  return tools::run_program(app, argc, argv,
                            "  sagcl-eval --pred runs/h8/predictions --ref data/hippocampus/labelsTs --json figures.json\n"
                            "  sagcl-eval --pred validation --ref DIR --choose-post-processing post.json\n"
                            "  sagcl-eval --pred masks --ref truth --unit mm --map 0:0,255:1 --names gland\n",
                            [&] { return evaluate(o); });
}
