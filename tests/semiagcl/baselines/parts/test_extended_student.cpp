#include <gtest/gtest.h>

#include <ostream>
#include <set>
#include <string>

#include "engine/files/safetensors.h"
#include "semiagcl/training/checkpoint.h"
#include "tests/semiagcl/small_training.h"
#include "tests/support/golden.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;

struct Extended {
  std::string method, consistency;
  std::size_t outputs;
  double weight;  ///< of each supervised term
};
void PrintTo(const Extended& e, std::ostream* os) { *os << e.method; }

class ExtendedStudents : public testing::TestWithParam<Extended> {};
INSTANTIATE_TEST_SUITE_P(Registry, ExtendedStudents,
                         testing::Values(Extended{"urpc", "pyramid", 4, 0.25}, Extended{"mc-net", "mutual", 2, 1},
                                         Extended{"mc-net-plus", "mutual", 3, 1}),
                         [](const auto& p) { return std::string(p.param.consistency) + std::to_string(p.param.outputs); });

TEST_P(ExtendedStudents, HaveTheirTermsInBothPhases) {
  const TrainingData data = small_data(true);
  Trainer trainer(small_settings(GetParam().method, true), data, {});
  while (!trainer.finished()) trainer.advance();
  std::set<std::string> supervised{"sup"};
  for (std::size_t i = 2; i <= GetParam().outputs; ++i) supervised.insert("sup" + std::to_string(i));
  std::set<std::string> all = supervised;
  all.insert(GetParam().consistency);
  for (const StepReport& report : trainer.reports()) {
    std::set<std::string> terms;
    for (const auto& [name, value] : report.values.terms) terms.insert(name);
    EXPECT_EQ(terms, report.step <= 2 ? supervised : all) << report.step;
    double loss = 0;
    for (const auto& [name, value] : report.values.terms) loss += GetParam().weight * value;
    if (report.step <= 2) { EXPECT_NEAR(report.values.loss, loss, 1e-5 * loss); }
  }
}

TEST_P(ExtendedStudents, PartsLearnFromTheFirstStep) {
  const TrainingData data = small_data(true);
  Trainer trainer(small_settings(GetParam().method, true), data, {});
  const engine::TensorFile before = engine::parse_safetensors(engine::safetensors_bytes(trainer.checkpoint()), "memory");
  trainer.advance();
  const engine::TensorFile after = trainer.checkpoint();
  int weights = 0;
  for (const auto& [name, t] : before.tensors) {
    if (!name.starts_with(checkpoint::method) || !name.ends_with(".w")) continue;
    EXPECT_FALSE(identical(t, after.tensors.at(name))) << name;
    ++weights;
  }
  EXPECT_GE(weights, 3);
}

}  // namespace
}  // namespace sagcl::tests
