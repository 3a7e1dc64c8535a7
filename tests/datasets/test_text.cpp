#include "datasets/text.h"

#include <gtest/gtest.h>

#include "datasets/layouts/folder.h"

using namespace sagcl::datasets;

TEST(Text, ANumberIsTheWholeText) {
  EXPECT_EQ(number_in<std::int64_t>("-12"), -12);
  EXPECT_EQ(number_in<double>("1e-3"), 1e-3);
  for (const char* text : {"", " 1", "1 ", "+1", "1x", "x", "1.5", "9223372036854775808"})
    EXPECT_FALSE(number_in<std::int64_t>(text)) << text;
  EXPECT_FALSE(number_in<std::uint64_t>("-1"));
}

TEST(Text, AChannelIsFourDigitsAtTheEnd) {
  EXPECT_EQ(channel_in("la_003_0012"), 12);
  EXPECT_EQ(without_channel("la_003_0012"), "la_003");
  for (const char* name : {"_0000", "la_003", "la_00012", "la_-001", "la_000x", ""}) EXPECT_FALSE(channel_in(name)) << name;
}
