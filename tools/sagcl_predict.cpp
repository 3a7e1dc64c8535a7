#include <CLI/CLI.hpp>

#include "engine/parallel.h"
#include "engine/plugin.h"
#include "tools/prediction.h"
#include "tools/program.h"
#include "tools/progress.h"

// sagcl-predict: a mask for every image of a folder.
using namespace sagcl;

namespace {

struct Options {
  std::string checkpoint, input, output, network, device = "auto", precision = "auto";
  int threads = 0;
};

int predict(const Options& o) {
  tools::require_file(o.checkpoint, "--checkpoint");
  if (!std::filesystem::is_regular_file(o.input)) tools::require_folder(o.input, "--input");
  std::error_code ignored;
  engine::require<engine::UsageError>(!std::filesystem::equivalent(o.input, o.output, ignored),
                                      "--output {}: this is the folder of the images; choose another, so that none is overwritten", o.output);
  if (o.threads > 0) engine::set_threads(o.threads);
  const std::vector<datasets::Case> cases = tools::image_cases(o.input);
  tools::TrainedNetwork trained = tools::load_network(o.checkpoint, o.network);
  const engine::DeviceChoice device = engine::resolve_device(o.device, o.precision);
  layers::move_to(*trained.network, device.device);
  tools::say(fmt::format("{} of {} after {} steps, {} classes, on {}", trained.which, o.checkpoint, trained.step, trained.classes.size(), device.text));
  tools::make_folder(o.output);
  {
    tools::Progress progress({.label = "predict", .total = std::int64_t(cases.size())});
    std::int64_t done = 0;
    for (const datasets::Case& one : cases) {
      const auto file = tools::write_mask(o.output, one.id, tools::predict_case(trained, one, device.device));
      fmt::print("{}\n", file.string());
      progress.update(++done, one.id);
    }
  }
  tools::say_next(fmt::format("sagcl-eval --pred {} --ref FOLDER_OF_REFERENCE_MASKS", tools::shell_quoted(o.output)));
  return tools::exit_ok;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Segments every image of a folder with a network trained by sagcl-train. One mask per image, with the image's\n"
               "geometry; the files' names go to standard output.");
  Options o;
  app.add_option("--checkpoint", o.checkpoint, "file from the folder checkpoints of a run")->required()->type_name("FILE");
  app.add_option("--input", o.input, "folder of images (.nii.gz, .nii, .png), or one image")->required()->type_name("DIR");
  app.add_option("--output", o.output, "folder for the masks; it is made if needed")->required()->type_name("DIR");
  app.add_option("--network", o.network, "which network of the checkpoint (default: the one the run evaluates)")
      ->check(CLI::IsMember({"student", "teacher"}));
  app.add_option("--device", o.device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  app.add_option("--precision", o.precision, "of convolutions: auto (a GPU: tf32, the CPU: fp32), fp32, tf32 or bf16")
      ->capture_default_str();
  app.add_option("--threads", o.threads, "CPU threads (default: all)")->check(CLI::Range(1, 1024));
  return tools::run_program(app, argc, argv,
                            "  sagcl-predict --checkpoint runs/h8/checkpoints/step-0000600.safetensors --input images --output masks\n",
                            [&] { return predict(o); });
}
