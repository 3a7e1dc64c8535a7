// Lesson 11: Semi-AGCL on real MRI, through the library: data, settings, trainer, evaluation. The page is
// docs/learn/11-semi-agcl-on-mri.md. Usage: learn-11 [steps]
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "datasets/split.h"
#include "datasets/store.h"
#include "semiagcl/evaluation/inference.h"
#include "semiagcl/training/trainer.h"
#include "tools/learn/lesson.h"

using namespace sagcl;

namespace {

/// What tools/presets/sunnybrook.toml says, in C++.
semiagcl::RunSettings settings_for(const std::string& method, std::int64_t steps) {
  semiagcl::RunSettings s;
  s.network = {.name = "unet", .width = 8};
  s.train.method = method, s.train.steps = steps, s.train.batch = 8, s.train.unlabelled = "beside", s.train.restarts = 0;
  s.train.patch = {1, 96, 96}, s.train.learning_rate = 1e-3;
  s.augment.flip = {"H", "W"}, s.augment.rotate = true;
  if (method == "supervised") s.augment.copy_paste = "always";  // boxes swapped between labelled slices; Semi-AGCL has M
  s.method = semiagcl::mixed();
  s.method.patch_grid = {{1, 4, 4}}, s.method.warm_up_share = 0.5;
  s.method.bank_size = 1024, s.method.n_closest = 64, s.method.n_hard = 64, s.method.projection_hidden = 128;
  return s;
}

/// Dice of the cavity over all voxels of these slices.
double dice(semiagcl::Trainer& trainer, const std::vector<datasets::Sample>& slices) {
  double common = 0, both = 0;
  for (const datasets::Sample& slice : slices) {
    const engine::Tensor answer = semiagcl::predict(trainer.evaluated(), slice.image, trainer.settings(), {});
    const std::uint8_t *a = answer.data<std::uint8_t>(), *t = slice.label.data<std::uint8_t>();
    for (std::int64_t i = 0; i < answer.size(); ++i) common += a[i] * t[i], both += a[i] + t[i];
  }
  return 2 * common / both;
}

}  // namespace

int main(int count, char** arguments) {
  const int steps = count > 1 ? std::max(8, std::atoi(arguments[1])) : 600;
  learn::Claims claims;

  const datasets::Dataset data = datasets::open_dataset(SAGCL_DATA_DIR "/sunnybrook");
  const datasets::Split split = datasets::make_split(data, {.pick = datasets::SplitRule::Pick::every,
                                                            .test = std::int64_t(6),
                                                            .validation = std::int64_t(4),
                                                            .labelled_pick = datasets::SplitRule::Labelled::seeded,
                                                            .labelled = std::int64_t(4)});
  const auto load = [&](const std::vector<std::string>& ids, bool with_labels) {
    return datasets::load_samples(data, ids, datasets::Normalisation::z_score, with_labels);
  };
  semiagcl::TrainingData training{
      .labelled = load(split.labelled, true), .unlabelled = load(split.unlabelled, false), .classes = data.n_classes()};
  const std::vector<datasets::Sample> test = load(split.test, true);
  fmt::print("{}: {} slices with labels, {} without, {} of six other patients to test.\n", data.name,
             training.labelled.size(), training.unlabelled.size(), test.size());

  semiagcl::Trainer trainer(settings_for("semi-agcl", steps), training, engine::Device::cpu());
  fmt::print("\nphase        step   loss     L_sup    L_reg    L_PL     L_RW\n");
  bool finite = true;
  std::vector<double> first;  // losses
  while (!trainer.finished()) {
    const std::string phase = trainer.phases()[trainer.phases().at(trainer.steps_done())].name;
    trainer.advance();
    for (const semiagcl::StepReport& report : trainer.reports()) {
      finite = finite && std::isfinite(report.values.loss);
      if (report.step <= 3) first.push_back(report.values.loss);
      if (report.step % (steps / 8) != 0) continue;
      fmt::print("{:<12} {:4}   {:6.3f}", phase, report.step, report.values.loss);
      for (const char* term : {"sup", "reg", "pl", "rw"}) {
        const auto found = report.values.terms.find(term);
        fmt::print("   {:>6}", found == report.values.terms.end() ? "-" : fmt::format("{:.3f}", found->second));
      }
      fmt::print("\n");
    }
  }
  claims.check(finite, "every loss is a finite number");
  semiagcl::Trainer again(settings_for("semi-agcl", steps), training, engine::Device::cpu());
  std::vector<double> repeated;
  for (int step = 0; step < 3; ++step) again.advance();
  for (const semiagcl::StepReport& report : again.reports()) repeated.push_back(report.values.loss);
  claims.check(repeated == first, "the first three steps once more give the same bits: all chance comes from the seed");
  semiagcl::Trainer alone(settings_for("supervised", steps), training, engine::Device::cpu());
  while (!alone.finished()) alone.advance();
  alone.reports();
  const double semi = dice(trainer, test), supervised = dice(alone, test);
  fmt::print("\nDice of the left ventricle: supervised {:.3f}, Semi-AGCL {:.3f}\n", supervised, semi);
  return claims.exit_code();
}
