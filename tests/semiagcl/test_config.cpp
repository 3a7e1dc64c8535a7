#include "semiagcl/settings/config.h"

#include <gtest/gtest.h>

#include "engine/error.h"
#include "semiagcl/settings/setting_text.h"

using namespace sagcl;
using namespace sagcl::semiagcl;

namespace {

/// "name = value" for every field, one a line, in order.
std::string describe(const Method& m) {
  std::string text;
  for_each_setting(m, [&](const char* field, const auto& v) { text += fmt::format("{} = {}\n", field, text_of(v)); });
  return text;
}

}  // namespace

TEST(Method, PresetsAreValidAndDiffer) {
  check(paper());
  check(stable());
  EXPECT_EQ(paper().c_nuc, paper().c_tr);
  EXPECT_LT(stable().c_nuc, stable().c_tr);
  EXPECT_EQ(preset("stable").consistency, Consistency::dice_ce_argmax);
  EXPECT_EQ(preset("paper").top_n, 20);
  EXPECT_THROW(preset("papers"), engine::UsageError);
}

TEST(Method, AnotherPresetKeepsWhatWasSetByHand) {
  Method m = paper();
  m.patch_grid = {{1, 4, 4}};
  m.w_pl = 0.7;
  const Method changed = with_preset(m, "stable");
  EXPECT_EQ(changed.preset, "stable");
  EXPECT_EQ(changed.patch_grid[2], 4);
  EXPECT_EQ(changed.w_pl, 0.7);
  EXPECT_EQ(changed.c_nuc, stable().c_nuc);
  EXPECT_EQ(describe(with_preset(changed, "paper")), describe(m));
}

TEST(Method, EveryFieldReadsWhatItPrints) {
  const Method from = stable();
  Method to = paper();
  const std::string text = describe(from);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at), equals = text.find(" = ", at);
    set(to, text.substr(at, equals - at), text.substr(equals + 3, end - equals - 3));
    at = end + 1;
  }
  EXPECT_EQ(describe(to), text);
}

TEST(Method, SetNamesWhatIsWrong) {
  Method m;
  set(m, "kernel", "l1");
  set(m, "patch_grid", "1x4x4");
  set(m, "append_queue", "true");
  EXPECT_EQ(m.kernel, Kernel::l1);
  EXPECT_EQ(m.patch_grid[2], 4);
  EXPECT_TRUE(m.append_queue);
  try {
    set(m, "kernel", "l3");
    FAIL();
  } catch (const engine::UsageError& e) {
    EXPECT_STREQ(e.what(), "kernel = l3 is not understood; it takes one of l2, l1, none");
  }
  EXPECT_THROW(set(m, "kernels", "l1"), engine::UsageError);
  EXPECT_THROW(set(m, "tau", "0.2x"), engine::UsageError);
  m.top_n = 0;
  EXPECT_THROW(check(m), engine::UsageError);
}
