#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "engine/show.h"

namespace sagcl::tests {
namespace {

struct Names final : engine::ShowListener {
  void shown(const char* name, const engine::Tensor& value) override {
    heard.push_back(name + std::to_string(value.size()));
  }
  std::vector<std::string> heard;
};

TEST(Show, ReachesTheInnermostListenerOfTheThread) {
  const engine::Tensor x = engine::Tensor::full({3}, 1);
  Names outer, inner;
  engine::show("nobody", x);
  {
    const engine::Showing listening(outer);
    engine::show("a", x);
    {
      const engine::Showing within(inner);
      engine::show("b", x);
      std::thread([&] { engine::show("elsewhere", x); }).join();
    }
    engine::show("c", x);
  }
  engine::show("nobody", x);
  EXPECT_EQ(outer.heard, (std::vector<std::string>{"a3", "c3"}));
  EXPECT_EQ(inner.heard, std::vector<std::string>{"b3"});
}

}  // namespace
}  // namespace sagcl::tests
