#include <algorithm>

#include "tests/tools/tools_support.h"
#include "tools/ideas/picture.h"

// The pictures of docs/ideas: the pieces they are made of, and that the command draws the files which the pages show.
using namespace sagcl;
using tests::contains;

namespace {

/// The bold lines of a picture: what its panels are called.
std::vector<std::string> titles(const std::string& svg) {
  std::vector<std::string> all;
  for (std::size_t at = svg.find("class=\"title\">"); at != std::string::npos; at = svg.find("class=\"title\">", at + 1))
    all.push_back(svg.substr(at + 14, svg.find('<', at) - at - 14));
  return all;
}

}  // namespace

TEST(Picture, DistributionsSumToAHundred) {
  const tools::Series s = tools::distribution("a", "#000", {-1, 0.01, 0.02, 0.6, 1}, 0, 1, 4);
  ASSERT_EQ(s.points.size(), 4u);
  EXPECT_DOUBLE_EQ(s.points[0].first, 0.125);
  EXPECT_NEAR(s.points[0].second, 60, 1e-12);  // what lies below counts in the first part
  EXPECT_NEAR(s.points[1].second, 0, 1e-12);
  EXPECT_NEAR(s.points[2].second, 20, 1e-12);
  EXPECT_NEAR(s.points[3].second, 20, 1e-12);  // the upper end in the last
}

TEST(Picture, StandsAlone) {
  const std::string svg = tools::picture("a < b", 100, 50, {{3, 4.5, tools::text_line("x & y", true)}});
  EXPECT_TRUE(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
  EXPECT_TRUE(contains(svg, "<title>a &lt; b</title>"));
  EXPECT_TRUE(contains(svg, "<g transform=\"translate(3 4.5)\">"));
  EXPECT_EQ(titles(svg), std::vector<std::string>{"x &amp; y"});
  EXPECT_NE(tools::heat_map(engine::Tensor::full({2, 2}, 0.2), 20), tools::heat_map(engine::Tensor::full({2, 2}, 0.9), 20));
  EXPECT_THROW(tools::heat_map(engine::Tensor::zeros({2, 2, 2}), 20), engine::ShapeError);
}

TEST(Ideas, TheCommandDrawsThePicturesOfThePages) {
  const tests::Scratch out;
  const std::filesystem::path root = SAGCL_SOURCE_DIR;
  const auto outcome =
      tests::run("sagcl-ideas", {"--data", (root / "data/glands").string(), "--out", out.path().string(), "--steps", "2"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 5);
  std::istringstream files(outcome.out);
  for (std::filesystem::path file; files >> file;) {
    const std::string name = file.filename().string(), fresh = tests::content_of(file);
    const std::string shown = tests::content_of(root / "docs/ideas" / name);
    EXPECT_FALSE(titles(fresh).empty()) << name;
    EXPECT_EQ(titles(fresh), titles(shown)) << "draw the pictures again: sagcl-ideas --out docs/ideas";
    EXPECT_EQ(fresh.find(" nan"), std::string::npos) << name;
    EXPECT_LT(shown.size(), 100000u) << name;
    const std::filesystem::path page = root / "docs/ideas" / (file.stem().string() + ".md");
    EXPECT_TRUE(contains(tests::content_of(page), "](" + name + ")"));
  }
}

TEST(Ideas, NeedAFolderToReadAndOneToWrite) {
  EXPECT_EQ(tests::run("sagcl-ideas", {"--data", "nowhere", "--out", "x"}).code, 66);
  EXPECT_EQ(tests::run("sagcl-ideas",
                       {"--data", std::string(SAGCL_SOURCE_DIR) + "/data/glands", "--out", "/dev/null/x", "--steps", "2"})
                .code,
            74);
}
