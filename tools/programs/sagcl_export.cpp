#include <CLI/CLI.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "datasets/text.h"
#include "engine/files/atomic_file.h"
#include "engine/files/safetensors.h"
#include "layers/weights.h"
#include "tools/export/masks.h"
#include "tools/export/network_graph.h"
#include "tools/export/network_notes.h"
#include "tools/programs/program.h"
#include "tools/run/run_state.h"

// sagcl-export: networks and masks in formats that others read.
using namespace sagcl;
namespace fs = std::filesystem;
using engine::require;
using engine::UsageError;

namespace {

struct Options {
  std::string source, out, network, map;
  std::vector<std::string> names;
  bool overwrite = false;
};

void require_free(const fs::path& file, const Options& o) {
  require<UsageError>(o.overwrite || !fs::exists(file),
                      "{}: is there already; --overwrite replaces it, or choose another --out", file.string());
}

tools::TrainedNetwork load(const Options& o) {
  require_free(o.out, o);
  const auto [file, content] = tools::read_checkpoint(o.source);
  tools::TrainedNetwork trained = tools::network_from(content, o.network, file.string());
  tools::say(fmt::format("{} of {} after {} steps, {} of width {}", trained.which, file.string(), trained.step,
                         trained.settings.network.name, trained.settings.network.width));
  return trained;
}

int onnx(const Options& o) {
  tools::TrainedNetwork trained = load(o);
  const std::string axes = trained.network->flat() ? "height, width" : "depth, height, width";
  const std::string text =
      fmt::format("image f32 [batch, {}, {}] -> probabilities [batch, {}, {}]; extents divisible by {}", trained.channels,
                  axes, trained.classes.size(), axes, tools::multiple_of(*trained.network));
  const std::string bytes = tools::onnx_model(trained).bytes(text, tools::network_notes(trained));
  engine::write_file_atomically(o.out, bytes);
  tools::say(fmt::format("{}; {}", text, tools::size_text(bytes.size())));
  fmt::print("{}\n", o.out);
  return tools::exit_ok;
}

int safetensors(const Options& o) {
  const tools::TrainedNetwork trained = load(o);
  engine::TensorFile content = layers::to_pytorch(*trained.network);
  content.notes = tools::network_notes(trained);
  content.notes["format"] = "pt";  // Hugging Face's mark of PyTorch's order
  engine::write_safetensors(o.out, content);
  tools::say(fmt::format("{} tensors under PyTorch's names, for load_state_dict(strict=True)", content.tensors.size()));
  fmt::print("{}\n", o.out);
  return tools::exit_ok;
}

int seg_nrrd(const Options& o) {
  if (!fs::is_regular_file(o.source)) tools::require_folder(o.source, "MASKS");
  const datasets::LabelRule rule = datasets::parse_label_rule(o.map);
  tools::Masks masks = tools::find_masks(o.source);
  if (!o.names.empty()) masks.names = o.names;
  std::error_code ignored;
  require<UsageError>(
      fs::is_regular_file(o.source) || !fs::equivalent(masks.files.begin()->second.parent_path(), o.out, ignored),
      "--out {}: this is the folder of the masks; choose another, so that each folder holds one kind", o.out);
  const auto target = [&](const std::string& id) { return fs::path(o.out) / (id + ".seg.nrrd"); };
  for (const auto& [id, mask] : masks.files) require_free(target(id), o);
  tools::make_folder(o.out);
  for (const auto& [id, mask] : masks.files) {
    tools::write_seg_nrrd(target(id), mask, rule, masks.names);
    fmt::print("{}\n", target(id).string());
  }
  tools::say(fmt::format(
      "{} written; {}", datasets::counted(std::int64_t(masks.files.size()), "segmentation"),
      masks.names.empty() ? "--names gives the classes names" : fmt::format("segments {}", fmt::join(masks.names, ", "))));
  return tools::exit_ok;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Takes results away in formats that others read: a network as ONNX or as PyTorch's tensors, masks for 3D Slicer. RUN\n"
      "is a run folder (its newest checkpoint counts) or a checkpoint. Files' names go to standard output.");
  Options o;
  app.require_subcommand(1);
  std::map<std::string, std::function<int()>> verbs;
  const auto verb = [&](const char* name, const char* what, int (*run)(const Options&), const char* source,
                        const char* described, const char* out) {
    CLI::App* sub = app.add_subcommand(name, what);
    sub->add_option(source, o.source, described)->required();
    sub->add_option("--out", o.out, "where it is written")->required()->type_name(out);
    sub->add_flag("--overwrite", o.overwrite, "replace what is there already");
    verbs[name] = [&o, run] { return run(o); };
    return sub;
  };
  const char* run = "run folder, as given to sagcl-train --out, or a checkpoint";
  for (CLI::App* sub :
       {verb("onnx", "the network: channels first, free batch and extents; classes and preprocessing in metadata_props",
             onnx, "RUN", run, "FILE.onnx"),
        verb("safetensors", "the weights with PyTorch's names and order of axes", safetensors, "RUN", run,
             "FILE.safetensors")})
    sub->add_option("--network", o.network, "which network of the checkpoint (default: the one the run evaluates)")
        ->check(CLI::IsMember({"student", "teacher"}));
  CLI::App* s = verb("seg-nrrd", "masks as .seg.nrrd: names and colours of segments, the mask's geometry", seg_nrrd, "MASKS",
                     "a mask, a folder of masks, or a run folder (its predictions)", "DIR");
  s->add_option("--names", o.names, "of the foreground classes, separated by commas (default: the run's)")->delimiter(',');
  s->add_option("--map", o.map, "what stored values mean: 0:0,255:1 (value:class), cut:128, or instances")
      ->type_name("RULE");
  return tools::run_program(app, argc, argv,
                            "  sagcl-export onnx runs/h8 --out h8.onnx\n"
                            "  sagcl-export safetensors runs/h8 --network teacher --out h8.safetensors\n"
                            "  sagcl-export seg-nrrd runs/h8 --out slicer\n"
                            "  sagcl-export seg-nrrd masks --out slicer --names anterior,posterior\n",
                            [&] { return verbs.at(app.get_subcommands().front()->get_name())(); });
}
