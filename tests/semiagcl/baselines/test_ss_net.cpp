#include <gtest/gtest.h>

#include "tests/semiagcl/small_training.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;

TEST(SsNet, AddsBothTermsAfterTheWarmUp) {
  for (const bool flat : {false, true}) {
    const RunSettings s = small_settings("ss-net", flat);
    const TrainingData data = small_data(flat);
    Trainer trainer(s, data, {});
    while (!trainer.finished()) trainer.advance();
    for (const StepReport& r : trainer.reports())
      for (const char* term : {"smooth", "separate"}) EXPECT_EQ(r.values.terms.count(term), r.step > 2) << r.step << term;
  }
}

}  // namespace
}  // namespace sagcl::tests
