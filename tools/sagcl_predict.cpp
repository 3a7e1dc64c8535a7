#include <CLI/CLI.hpp>

#include <csignal>
#include <set>

#include "datasets/text.h"
#include "engine/parallel.h"
#include "engine/plugin.h"
#include "tools/prediction.h"
#include "tools/prediction_input.h"
#include "tools/program.h"
#include "tools/progress.h"
#include "tools/signals.h"

// sagcl-predict: a mask for every image.
using namespace sagcl;
namespace fs = std::filesystem;
using engine::require;
using engine::UsageError;

namespace {

struct Options {
  std::string checkpoint, input, output, network, axes, device = "auto", precision = "auto";
  bool probabilities = false, overwrite = false, skip_existing = false, every_file = false;
  std::optional<float> replace_nan;
  int threads = 0;
};

void require_input(const Options& o) {
  tools::require_file(o.checkpoint, "--checkpoint");
  if (!fs::is_regular_file(o.input)) tools::require_folder(o.input, "--input");
  std::error_code ignored;
  require<UsageError>(!fs::equivalent(o.input, o.output, ignored),
                      "--output {}: this is the folder of the images; choose another, so that none is overwritten", o.output);
}

tools::PredictionInput find_images(const Options& o, std::int64_t channels) {
  tools::InputOptions options{.channels = channels, .axes = {}, .every_file = o.every_file};
  if (!o.axes.empty()) options.axes = o.axes == "xyz" ? datasets::Axes::xyz : datasets::Axes::zyx;
  return tools::find_images(o.input, options);
}

/// Looks for results that are there already, before anything is predicted. Leaves out the cases that need not be done again.
void settle_existing(const Options& o, const tools::ResultFiles& files, std::vector<datasets::Case>& cases) {
  std::set<fs::path> images;
  for (const datasets::Case& one : cases)
    for (const fs::path& image : one.images) images.insert(fs::weakly_canonical(image));
  std::vector<fs::path> there;
  std::size_t done = 0;
  std::erase_if(cases, [&](const datasets::Case& one) {
    const std::vector<fs::path> existing = files.existing(one);
    for (const fs::path& file : existing)
      require<UsageError>(!images.count(fs::weakly_canonical(file)), "{}: is an image that is to be segmented, and its mask would replace "
                          "it; choose another --output", file.string());
    if (!o.skip_existing) {
      there.insert(there.end(), existing.begin(), existing.end());
      return false;
    }
    const bool finished = files.finished(one, true);
    require<UsageError>(finished || !files.finished(one, false), "{}: is there without its probabilities; --overwrite instead of "
                        "--skip-existing does it again", existing.empty() ? "" : existing.front().string());
    done += finished;
    return finished;
  });
  require<UsageError>(o.overwrite || there.empty(), "{}: is there already, {} of the results; --overwrite replaces them, "
                      "--skip-existing segments the other images alone, or choose another --output",
                      there.empty() ? "" : there.front().string(), there.size());
  if (done > 0) tools::say(fmt::format("{} left out, the masks are there; {} to do", datasets::counted(std::int64_t(done), "case"), cases.size()));
}

struct Stopped {};

/// Segments one case after another and goes on where one cannot be read. Returns why those could not.
std::vector<std::string> predict_all(const Options& o, const std::vector<datasets::Case>& cases, tools::TrainedNetwork& trained,
                                     engine::Device device, const tools::ResultFiles& files) {
  tools::Progress progress({.label = "predict", .total = std::int64_t(cases.size())});
  std::vector<std::string> failures;
  std::int64_t done = 0;
  for (const datasets::Case& one : cases) {
    const auto tell = [&](std::int64_t part, std::int64_t all) {
      if (tools::stop_signal()) throw Stopped();
      progress.update(done, one.id, double(part) / double(all));
    };
    tell(0, 1);
    std::optional<datasets::Image> image;
    try {
      image = tools::read_case(trained, one, o.replace_nan);
    } catch (const engine::DataError& e) {
      failures.push_back(e.what());
      if (cases.size() > 1) progress.message(fmt::format("failed: {}", e.what()));
    }
    if (image) {
      for (const std::string& remark : image->remarks) progress.message(remark);
      try {
        fmt::print("{}\n", tools::predict_case(trained, one.id, std::move(*image), device, files, tell).string());
      } catch (const engine::OutOfMemory& e) {
        engine::fail<engine::OutOfMemory>("{}: {}{}", one.images[0].string(), e.what(), device.is_cpu() ? "" : "; --device cpu needs less");
      }
      std::fflush(stdout);
    }
    progress.update(++done, one.id);
  }
  return failures;
}

int predict(const Options& o) {
  require_input(o);
  if (o.threads > 0) engine::set_threads(o.threads);
  tools::TrainedNetwork trained = tools::load_network(o.checkpoint, o.network);
  tools::PredictionInput input = find_images(o, trained.channels);
  for (const std::string& note : input.notes) tools::say(note);
  const tools::ResultFiles files{o.output, o.probabilities};
  settle_existing(o, files, input.cases);
  const engine::DeviceChoice device = engine::resolve_device(o.device, o.precision);
  layers::move_to(*trained.network, device.device);
  tools::say(fmt::format("{} of {} after {} steps, {} classes, on {}", trained.which, o.checkpoint, trained.step, trained.classes.size(), device.text));
  tools::make_folder(o.output);
  tools::catch_signals();
  const engine::Sparing sparing(engine::allocator(engine::Device::cpu()));  // volumes of many sizes, one after the other
  std::vector<std::string> failures;
  try {
    failures = predict_all(o, input.cases, trained, device.device, files);
  } catch (const Stopped&) {
    tools::say("stopped; the masks that were written are whole. The same command with --skip-existing goes on");
    return tools::stop_signal() == SIGTERM ? tools::exit_terminated : tools::exit_interrupted;
  }
  if (failures.size() == 1 && input.cases.size() == 1) engine::fail<engine::DataError>("{}", failures[0]);
  require<engine::DataError>(failures.empty(), "{} of {} failed; the masks of the others are in {}:\n  {}", failures.size(),
                             datasets::counted(std::int64_t(input.cases.size()), "case"), o.output, fmt::join(failures, "\n  "));
  tools::say_next(fmt::format("sagcl-eval --pred {} --ref FOLDER_OF_REFERENCE_MASKS", tools::shell_quoted(o.output)));
  return tools::exit_ok;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Segments images with a network trained by sagcl-train. One mask per image, with the image's geometry; the files'\n"
               "names go to standard output. Memory is needed for an image and its mask, however large, and for some of its planes.");
  Options o;
  app.add_option("--checkpoint", o.checkpoint, "file from the folder checkpoints of a run")->required()->type_name("FILE");
  app.add_option("--input", o.input, "one image, a folder of images, or a data set (its test part or, without one, all of it): NIfTI, NRRD, "
                 "HDF5, NumPy, PNG. Files CASE_0000, CASE_0001, ... are the channels of a case where the network has as many")
      ->required()->type_name("FILE|DIR");
  app.add_option("--output", o.output, "folder for the masks; it is made if needed")->required()->type_name("DIR");
  app.add_flag("--probabilities", o.probabilities, "also write the class probabilities, f32 and uncompressed: probabilities/<image>.nii "
               "with the classes as fourth axis, beside a PNG mask probabilities/<image>.npy [1, height, width, classes]. Their "
               "largest is the mask's class, but for voxels that evaluation.largest_component removed");
  auto* overwrite = app.add_flag("--overwrite", o.overwrite, "replace masks that are there already");
  app.add_flag("--skip-existing", o.skip_existing, "leave images out whose masks are there already, as after an interruption")->excludes(overwrite);
  app.add_flag("--one-file-per-case", o.every_file, "every file is a case, whatever its name");
  app.add_option("--axes", o.axes, "how arrays of .h5 and .npy are indexed: zyx (the default) or xyz (that of LA's mri_norm2.h5)")
      ->check(CLI::IsMember({"zyx", "xyz"}));
  app.add_option("--replace-nan", o.replace_nan, "the value that voxels get which are NaN or infinite (default: such images are refused)");
  app.add_option("--network", o.network, "which network of the checkpoint (default: the one the run evaluates)")
      ->check(CLI::IsMember({"student", "teacher"}));
  app.add_option("--device", o.device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  app.add_option("--precision", o.precision, "of convolutions: auto (a GPU: tf32, the CPU: fp32), fp32, tf32 or bf16")
      ->capture_default_str();
  app.add_option("--threads", o.threads, "CPU threads (default: all)")->check(CLI::Range(1, 1024));
  return tools::run_program(app, argc, argv,
                            "  sagcl-predict --checkpoint runs/h8/checkpoints/step-0000600.safetensors --input images --output masks\n"
                            "  sagcl-predict --checkpoint c.safetensors --input scan.nrrd --output masks --probabilities\n",
                            [&] { return predict(o); });
}
