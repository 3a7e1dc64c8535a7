#include "semiagcl/baselines/mc_net.h"

#include <string>

#include "ops/arithmetic.h"
#include "ops/reduce.h"
#include "ops/softmax.h"

namespace sagcl::semiagcl {
namespace {

constexpr double weight_of_images = 0.1, weight_of_volumes = 1;  // of the consistency, as released

Variable tenth_power(const Variable& x) {
  const Variable squared = ops::square(x);
  return ops::multiply(squared, ops::square(ops::square(squared)));
}

/// The student's own is transposed in the V-Net and linear in the U-Net; the second is the other of these.
layers::Upsampling upsampling_of(std::size_t further, bool flat) {
  if (further > 0) return layers::Upsampling::nearest;
  return flat ? layers::Upsampling::transposed : layers::Upsampling::linear;
}

}  // namespace

Variable sharpen(const Variable& p) {
  const Variable yes = tenth_power(p), no = tenth_power(ops::add_scalar(ops::scale(p, -1), 1));
  return ops::divide(yes, ops::add(yes, no));  // by at least 2^-9
}

Variable mutual_consistency(const std::vector<Variable>& p) {
  engine::require<engine::UsageError>(p.size() >= 2, "mutual_consistency: {} outputs; it compares two or more", p.size());
  Variable sum;
  for (std::size_t j = 0; j < p.size(); ++j) {
    const Variable target = sharpen(p[j]);
    for (std::size_t i = 0; i < p.size(); ++i) {
      if (i == j) continue;
      const Variable pair = ops::mean(ops::square(ops::subtract(p[i], target)));
      sum = sum.defined() ? ops::add(sum, pair) : pair;
    }
  }
  return sum;
}

// Departs from the paper: every decoder has the supervised loss of all methods here, ½ (cross-entropy + Dice); theirs is
// Dice alone, with the factor ½ on volumes and 1 on images.
MutualConsistency::MutualConsistency(const RunSettings& settings, const layers::SegmenterSpec& spec, engine::Device device,
                                     std::size_t further_decoders)
    : ExtendedStudent(settings, 1) {
  const std::string& network = settings.network.name;
  for (std::size_t i = 0; i < further_decoders; ++i) {
    engine::Generator random(settings.train.seed, "mc-net", i);
    decoders_.push_back(layers::make_decoder(network, spec, upsampling_of(i, layers::flat(network)), random));
    layers::move_to(*decoders_.back(), device);
  }
}

NamedModules MutualConsistency::modules() {
  NamedModules named;
  for (const auto& decoder : decoders_) named.emplace_back("decoder" + std::to_string(named.size() + 2), decoder.get());
  return named;
}

std::vector<Variable> MutualConsistency::outputs(StepInput& in) {
  layers::Stages stages;
  std::vector<Variable> logits{in.forward(in.batch.strong, &stages).logits};
  engine::Generator dropout = in.random.fork(0);
  for (const auto& decoder : decoders_)
    logits.push_back(decoder->forward(stages.encoder, {.training = true, .random = &dropout}));
  return logits;
}

/// On all samples.
Term MutualConsistency::consistency(const StepInput& in, const std::vector<Variable>& logits) const {
  std::vector<Variable> probabilities;
  for (const Variable& z : logits) probabilities.push_back(ops::softmax(z));
  const double weight = in.student.flat() ? weight_of_images : weight_of_volumes;
  return {"mutual", mutual_consistency(probabilities), weight, in.ramp};
}

}  // namespace sagcl::semiagcl
