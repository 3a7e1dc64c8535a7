#include <CLI/CLI.hpp>

#include <algorithm>
#include <new>
#include <set>

#include "datasets/text.h"
#include "engine/devices/allocator.h"
#include "engine/devices/device_choice.h"
#include "engine/devices/device_registry.h"
#include "engine/files/read_file.h"
#include "engine/parallel.h"
#include "semiagcl/evaluation/inference.h"
#include "tools/evaluate/confidence.h"
#include "tools/evaluate/prediction.h"
#include "tools/evaluate/prediction_input.h"
#include "tools/programs/program.h"
#include "tools/programs/progress.h"
#include "tools/programs/signals.h"
#include "tools/programs/text_table.h"
#include "tools/run/config.h"
#include "tools/run/run_state.h"

// sagcl-predict: a mask for every image.
using namespace sagcl;
namespace fs = std::filesystem;
using engine::require;
using engine::UsageError;

namespace {

struct Options {
  std::vector<std::string> checkpoints;
  std::string input, part, post_processing, output, network, axes, blending, mirror, device = "auto", precision = "auto";
  bool probabilities = false, confidence = false, overwrite = false, skip_existing = false, every_file = false;
  std::optional<float> replace_nan;
  int threads = 0;
};

/// The run that a checkpoint lies in: itself, or the parent of its folder.
fs::path run_of(const std::string& checkpoint) {
  return fs::is_directory(checkpoint) ? fs::path(checkpoint) : fs::absolute(checkpoint).parent_path().parent_path();
}

datasets::Split split_of(const std::string& checkpoint) {
  const fs::path file = run_of(checkpoint) / "split.json";
  require<engine::MissingInput>(fs::exists(file),
                                "--part: {} is not there, which says how the run divided its data; give --checkpoint a run "
                                "folder, or --input the images themselves",
                                file.string());
  return datasets::parse_split(engine::read_file(file), file.string());
}

tools::PredictionInput find_images(const Options& o, const tools::TrainedNetwork& trained) {
  tools::InputOptions options{.channels = trained.channels, .axes = {}, .every_file = o.every_file};
  if (!o.axes.empty()) options.axes = o.axes == "xyz" ? datasets::Axes::xyz : datasets::Axes::zyx;
  const std::string input = o.input.empty() ? trained.settings.data.folder : o.input;
  if (!fs::is_regular_file(input)) tools::require_folder(input, o.input.empty() ? "data.folder of the run," : "--input");
  std::error_code ignored;
  require<UsageError>(!fs::equivalent(input, o.output, ignored),
                      "--output {}: this is the folder of the images; choose another, so that none is overwritten",
                      o.output);
  if (o.part.empty()) return tools::find_images(input, options);
  tools::DividedPart part{o.part, {}};
  for (const std::string& checkpoint : o.checkpoints) part.splits.push_back(split_of(checkpoint));
  return tools::find_part(input, options, part);
}

/// Blending and mirrors as asked for, instead of the run's.
void set_prediction(const Options& o, semiagcl::RunSettings& s) {
  require<UsageError>(o.blending.empty() || !s.evaluation.stride.empty(),
                      "--blending {}: the run predicts whole images (evaluation.stride = []), so there are no windows to "
                      "blend; leave it out",
                      o.blending);
  if (!o.blending.empty()) s.evaluation.blending = o.blending;
  if (o.mirror == "none") s.evaluation.mirror.clear();
  else if (o.mirror == "trained") {
    s.evaluation.mirror = s.augment.flip;
    if (layers::flat(s.network.name)) std::erase(s.evaluation.mirror, "D");  // planes are not mirrored along it
    require<UsageError>(
        !s.evaluation.mirror.empty(),
        "--mirror trained: training mirrored along no axis (augment.flip = [{}]); name axes, as --mirror H,W, "
        "or leave it out",
        fmt::join(s.augment.flip, ", "));
  } else if (!o.mirror.empty()) tools::apply_assignment(s, "evaluation.mirror=" + o.mirror);
  semiagcl::check_prediction(s);
}

/// The networks of --checkpoint.
tools::Ensemble load(const Options& o) {
  std::vector<tools::TrainedNetwork> members;
  std::vector<std::string> sources, notes;
  for (const std::string& source : o.checkpoints) {
    const auto [file, content] = tools::read_checkpoint(source);
    tools::TrainedNetwork trained = tools::network_from(content, o.network, file.string());
    set_prediction(o, trained.settings);
    tools::say(fmt::format("{} of {} after {} steps, {} classes", trained.which, file.string(), trained.step,
                           trained.classes.size()));
    for (const std::string& note : tools::notes_on_prediction(trained.settings))
      if (std::ranges::count(notes, note) == 0) notes.push_back(note);
    sources.push_back(file.string()), members.push_back(std::move(trained));
  }
  for (const std::string& note : notes) tools::say(note);
  return {std::move(members), std::move(sources)};
}

/// Looks for results that are there already, before anything is predicted. Leaves out the cases that need not be done again.
void settle_existing(const Options& o, const tools::ResultFiles& files, const tools::ConfidenceFile* confidence,
                     std::vector<datasets::Case>& cases) {
  std::set<fs::path> images;
  for (const datasets::Case& one : cases)
    for (const fs::path& image : one.images) images.insert(fs::weakly_canonical(image));
  std::vector<fs::path> there;
  std::size_t done = 0;
  std::erase_if(cases, [&](const datasets::Case& one) {
    const std::vector<fs::path> existing = files.existing(one);
    for (const fs::path& file : existing)
      require<UsageError>(!images.count(fs::weakly_canonical(file)),
                          "{}: is an image that is to be segmented, and its mask would replace "
                          "it; choose another --output",
                          file.string());
    if (!o.skip_existing) {
      there.insert(there.end(), existing.begin(), existing.end());
      return false;
    }
    require<UsageError>(!confidence || confidence->has(one.id) || !files.finished(one, false),
                        "{}: is there without its line in confidence.json; remove it, and --skip-existing does it again",
                        existing.empty() ? "" : existing.front().string());
    const bool finished = files.finished(one, true);
    require<UsageError>(finished || !files.finished(one, false),
                        "{}: is there without its probabilities; --overwrite instead of "
                        "--skip-existing does it again",
                        existing.empty() ? "" : existing.front().string());
    done += finished;
    return finished;
  });
  require<UsageError>(o.overwrite || there.empty(),
                      "{}: is there already, {} of the results; --overwrite replaces them, "
                      "--skip-existing segments the other images alone, or choose another --output",
                      there.empty() ? "" : there.front().string(), there.size());
  if (done > 0)
    tools::say(fmt::format("{} left out, the masks are there; {} to do", datasets::counted(std::int64_t(done), "case"),
                           cases.size()));
}

[[noreturn]] void fail_for_memory(const datasets::Case& one, engine::Device device, const char* why) {
  engine::fail<engine::OutOfMemory>("{}: no memory is left for it ({}). {}", one.images[0].string(), why,
                                    device.is_cpu()
                                        ? "An image and its mask need five bytes per voxel, and more for each "
                                          "further channel (of whole volumes with --mirror also an image and all "
                                          "probabilities), beside the planes in work: free some memory"
                                        : "--device cpu needs less");
}

/// "none" changes nothing, so it is what a choice of post-processing needs.
tools::PostProcessing post_processing(const Options& o, const tools::TrainedNetwork& trained) {
  if (o.post_processing == "none") return {};
  tools::require_file(o.post_processing, "--post-processing");
  tools::PostProcessing p = tools::read_post_processing(o.post_processing);
  const std::vector<std::string> names(trained.classes.begin() + 1, trained.classes.end());
  require<UsageError>(p.classes == names,
                      "--post-processing {}: is for the classes {}, the network has {}; choose it on masks of this network "
                      "(sagcl-eval --names gives names)",
                      o.post_processing, fmt::join(p.classes, ", "), fmt::join(names, ", "));
  for (std::size_t k = 0; k < names.size(); ++k)
    tools::say(fmt::format("post-processing of {}: {}", names[k], p.rules[k].text()));
  return p;
}

/// Segments one case after another.
class Predictions {
 public:
  /// All must outlive it; `confidence` may be null.
  Predictions(const Options& o, tools::Ensemble& ensemble, engine::Device device, const tools::ResultFiles& files,
              tools::ConfidenceFile* confidence)
      : o_(o), ensemble_(ensemble), device_(device), files_(files), confidence_(confidence) {
    if (confidence)  // before the mask: a line without a mask is done again, a mask without a line is not
      extras_.expected_dice = [confidence](const datasets::Case& one, const std::vector<double>& dice) {
        confidence->set({one.id, one.patient, dice}), confidence->write();
      };
    if (!o.post_processing.empty()) extras_.post_processing = post_processing(o, ensemble.first());
  }

  /// Goes on where an image cannot be read. Returns why those could not. Throws Stopped when a signal came, IoError where a
  /// mask cannot be written: the next one could not be, either.
  std::vector<std::string> run(const std::vector<datasets::Case>& cases) {
    tools::Progress progress({.label = "predict", .total = std::int64_t(cases.size())});
    std::vector<std::string> failures;
    std::int64_t done = 0;
    for (const datasets::Case& one : cases) {
      const auto tell = [&](std::int64_t part, std::int64_t all) {
        tools::leave_if_asked();
        progress.update(done, one.id, double(part) / double(all));
      };
      tell(0, 1);
      const auto failed = [&](const std::string& why) {
        failures.push_back(why);
        if (cases.size() > 1) progress.message("failed: " + why);
      };
      bool read = false;
      try {
        datasets::Image image = tools::read_case(ensemble_, one, o_.replace_nan);
        read = true;
        for (const std::string& remark : image.remarks) progress.message(remark);
        const fs::path mask = tools::predict_case(ensemble_, one, std::move(image), device_, files_, extras_, tell);
        tools::print_result(mask.string() + "\n");
      } catch (const engine::IoError& e) {
        if (read) throw;
        failed(e.what());
      } catch (const engine::DataError& e) { failed(e.what()); } catch (const engine::OutOfMemory& e) {
        fail_for_memory(one, device_, e.what());
      } catch (const std::bad_alloc&) { fail_for_memory(one, engine::Device::cpu(), "the system gives none"); }
      progress.update(++done, one.id);
    }
    return failures;
  }

 private:
  const Options& o_;
  tools::Ensemble& ensemble_;
  engine::Device device_;
  const tools::ResultFiles& files_;
  tools::ConfidenceFile* confidence_;
  tools::PredictionExtras extras_;
};

/// The patients whose masks are least sure; of unlabelled ones those whose labels would teach most, one hopes.
void say_least_sure(const tools::ConfidenceFile& confidence, const Options& o) {
  constexpr std::size_t shown = 10;
  const auto order = confidence.least_sure_first();
  if (order.empty()) return;  // no image could be read
  tools::TextTable table({"patient", "cases", "expected Dice %"});
  for (std::size_t i = 0; i < std::min(shown, order.size()); ++i)
    table.row({order[i].id, std::to_string(order[i].cases), tools::number(100 * order[i].dice)});
  tools::say(fmt::format("{} (all {}: {}/confidence.json)\n{}",
                         o.part == "unlabelled" ? "label these next: the network is least sure of them" : "least sure first",
                         order.size(), o.output, table.text()));
}

int predict(const Options& o) {
  require<UsageError>(!o.input.empty() || !o.part.empty(),
                      "--input: give an image, a folder of images or a data set; or "
                      "--part, which takes that part of the run's own data");
  if (o.threads > 0) engine::set_threads(o.threads);
  tools::Ensemble ensemble = load(o);
  const tools::TrainedNetwork& first = ensemble.first();
  tools::PredictionInput input = find_images(o, first);
  for (const std::string& note : input.notes) tools::say(note);
  const tools::ResultFiles files{o.output, o.probabilities};
  tools::ConfidenceFile confidence(fs::path(o.output) / "confidence.json", {first.classes.begin() + 1, first.classes.end()});
  tools::ConfidenceFile* const asked = o.confidence || o.part == "unlabelled" ? &confidence : nullptr;
  if (asked && o.skip_existing) confidence.read();
  settle_existing(o, files, asked, input.cases);
  const engine::DeviceChoice device = engine::resolve_device(o.device, o.precision);
  for (const tools::TrainedNetwork& member : ensemble.members()) layers::move_to(*member.network, device.device);
  tools::say(fmt::format("{} on {}",
                         ensemble.members().size() > 1
                             ? fmt::format("the mean of {} networks, one after the other", ensemble.members().size())
                             : "one network",
                         device.text));
  tools::make_folder(o.output);
  tools::catch_signals();
  const engine::Sparing sparing(engine::allocator(engine::Device::cpu()));  // volumes of many sizes, one after the other
  const char* const goes_on =
      o.overwrite ? "stopped; the masks that were written are whole. The same command replaces all of them again"
                  : "stopped; the masks that were written are whole. The same command with --skip-existing goes on";
  std::vector<std::string> failures;
  try {
    failures = Predictions(o, ensemble, device.device, files, asked).run(input.cases);
  } catch (const tools::Stopped&) {
    tools::say(goes_on);
    return tools::stop_exit_code();
  } catch (const engine::IoError&) {
    tools::say(goes_on);
    throw;
  }
  if (asked) say_least_sure(confidence, o);
  if (failures.size() == 1 && input.cases.size() == 1) engine::fail<engine::DataError>("{}", failures[0]);
  require<engine::DataError>(failures.empty(), "{} of {} failed; the masks of the others are in {}:\n  {}", failures.size(),
                             datasets::counted(std::int64_t(input.cases.size()), "case"), o.output,
                             fmt::join(failures, "\n  "));
  tools::say_next(fmt::format("sagcl-eval --pred {} --ref FOLDER_OF_REFERENCE_MASKS", tools::shell_quoted(o.output)));
  return tools::exit_ok;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Segments images (NIfTI, NRRD, HDF5, NumPy, PNG) with a network trained by sagcl-train: one mask per image,\n"
      "with the image's geometry; the files' names go to standard output. Of a data set its test part is segmented\n"
      "or, without one, all of it. In a folder every file is a case; where the network has several channels and files\n"
      "hold one each, CASE_0000, CASE_0001, ... are the channels of a case. --probabilities also writes\n"
      "probabilities/IMAGE.nii, f32 and uncompressed, the classes as fourth axis (beside a PNG mask IMAGE.npy,\n"
      "[1, height, width, classes]); the largest is the mask's class, before evaluation.largest_component.\n"
      "Several runs answer by the mean of their probabilities. --part unlabelled segments the cases that the runs had no\n"
      "label of, and says which to label next: those of which the networks are least sure.");
  Options o;
  app.add_option("--checkpoint", o.checkpoints, "run folders (of each the newest counts) or files from their checkpoints")
      ->required()
      ->type_name("RUN");
  app.add_option("--input", o.input, "an image, a folder of images or a data set (with --part: the run's, if left out)")
      ->type_name("PATH");
  app.add_option("--part", o.part,
                 "of the run's data set: labelled, unlabelled, validation or test, in all runs that are given")
      ->check(CLI::IsMember({"labelled", "unlabelled", "validation", "test"}));
  app.add_option("--output", o.output, "folder for the masks; it is made if needed")->required()->type_name("DIR");
  app.add_flag("--probabilities", o.probabilities, "also write the class probabilities");
  app.add_flag("--confidence", o.confidence,
               "also write confidence.json: the Dice to expect of every mask, by the probabilities");
  auto* overwrite = app.add_flag("--overwrite", o.overwrite, "replace results that are there already");
  app.add_flag("--skip-existing", o.skip_existing, "leave out images that have a mask, as after an interruption")
      ->excludes(overwrite);
  app.add_flag("--one-file-per-case", o.every_file, "every file is a case, whatever its name");
  app.add_option("--axes", o.axes, "of arrays in .h5 and .npy: zyx (default) or xyz (LA's mri_norm2.h5)")
      ->check(CLI::IsMember({"zyx", "xyz"}));
  app.add_option("--replace-nan", o.replace_nan, "value for voxels that are NaN or infinite (default: refused)");
  app.add_option("--network", o.network, "which network of the checkpoint (default: the one the run evaluates)")
      ->check(CLI::IsMember({"student", "teacher"}));
  app.add_option("--blending", o.blending,
                 "of overlapping windows: mean or gaussian (default: the run's evaluation.blending)")
      ->check(CLI::IsMember({"mean", "gaussian"}));
  app.add_option("--mirror", o.mirror,
                 "mean over all mirror images along these axes, as H,W (2, 4 or 8 times as long); trained: those of\n"
                 "augment.flip; none (default: the run's evaluation.mirror)")
      ->type_name("AXES");
  app.add_option("--post-processing", o.post_processing,
                 "what sagcl-eval --choose-post-processing wrote, or none, instead of evaluation.largest_component")
      ->type_name("FILE");
  app.add_option("--device", o.device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  app.add_option("--precision", o.precision,
                 "of convolutions: auto (a GPU: tf32, the CPU: fp32), fp32, tf32 or bf16 (and activations)")
      ->capture_default_str();
  app.add_option("--threads", o.threads, "CPU threads (default: all)")->check(CLI::Range(1, 1024));
  return tools::run_program(
      app, argc, argv,
      "  sagcl-predict --checkpoint runs/h8/checkpoints/step-0000600.safetensors --input images --output masks\n"
      "  sagcl-predict --checkpoint c.safetensors --input scan.nrrd --output masks --probabilities\n"
      "  sagcl-predict --checkpoint runs/fold0 runs/fold1 runs/fold2 --input images --output masks --confidence\n"
      "  sagcl-predict --checkpoint runs/h8 --part unlabelled --output masks     # which to label next\n",
      [&] { return predict(o); });
}
