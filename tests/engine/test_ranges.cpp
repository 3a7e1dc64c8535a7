#include <gtest/gtest.h>

#include "engine/operation_name.h"
#include "engine/ranges.h"

namespace sagcl::tests {
namespace {

struct Transcript final : engine::RangeListener {
  Transcript() { engine::listen_to_ranges(this); }
  ~Transcript() override { engine::listen_to_ranges(nullptr); }
  void begin(const char* name) override { text += std::string("(") + name; }
  void end() override { text += ")"; }
  std::string text;
};

TEST(Ranges, NestAndFollowOneAnother) {
  Transcript heard;
  {
    engine::Range phase("forward");
    { const engine::OperationName conv("conv"); }
    phase.next("backward");
    { const engine::OperationName conv("conv"); }
  }
  EXPECT_EQ(heard.text, "(forward(conv))(backward(conv))");
}

TEST(Ranges, EndAsTheyBeganWhenTheListenerChanges) {
  std::string text;
  {
    const engine::Range unheard("before");
    Transcript heard;
    { const engine::Range one("one"); }
    engine::listen_to_ranges(nullptr);
    { const engine::Range two("two"); }
    text = heard.text;
  }
  EXPECT_EQ(text, "(one)");
}

}  // namespace
}  // namespace sagcl::tests
