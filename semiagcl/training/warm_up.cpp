#include "semiagcl/training/warm_up.h"

namespace sagcl::semiagcl {

std::int64_t warm_up_steps(std::int64_t steps, const Method& m) { return std::int64_t(m.warm_up_share * double(steps)); }

std::vector<Phase> with_warm_up(const RunSettings& settings, AveragedNetwork* teacher, Phase main, Phase warm_up) {
  if (warm_up.name.empty()) warm_up.name = "warm-up";
  if (!warm_up.objective) warm_up.objective = supervised_objective;
  warm_up.steps = warm_up_steps(settings.train.steps, settings.method);
  warm_up.paste |= settings.augment.copy_paste == "warm_up";
  warm_up.must_predict_every_class = true;
  warm_up.decays = warm_up.ramps = false;
  main.steps = settings.train.steps - warm_up.steps;
  main.trained.insert(main.trained.end(), warm_up.trained.begin(), warm_up.trained.end());
  if (teacher) {
    const bool from_the_start = settings.method.average_warm_up && warm_up.steps > 0;
    Phase& first = from_the_start ? warm_up : main;
    first.begin = [teacher](layers::Segmenter& student) { teacher->begin(student); };
    if (from_the_start)
      warm_up.after_update = [teacher](const StepUpdate& update) { teacher->follow(update, Buffers::averaged); };
  }
  return {std::move(warm_up), std::move(main)};
}

}  // namespace sagcl::semiagcl
