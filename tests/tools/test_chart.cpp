#include <algorithm>
#include <cmath>

#include "datasets/formats/png.h"
#include "tests/tools/tools_support.h"
#include "tools/report/chart.h"
#include "tools/report/contour.h"
#include "tools/report/html.h"
#include "tools/report/overlay.h"

using namespace sagcl;
using tests::contains;

TEST(Html, Escapes) {
  EXPECT_EQ(tools::escaped("<a href=\"x\">'&'</a>"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
}

TEST(Html, Base64OfTheStandard) {  // RFC 4648, section 10
  EXPECT_EQ(tools::base64(""), "");
  EXPECT_EQ(tools::base64("f"), "Zg==");
  EXPECT_EQ(tools::base64("fo"), "Zm8=");
  EXPECT_EQ(tools::base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(tools::base64(std::string("\xff\xfe\x00", 3)), "//4A");
}

TEST(Html, CoordinatesAreShort) {
  EXPECT_EQ(tools::coordinate(12), "12");
  EXPECT_EQ(tools::coordinate(0.25), "0.25");
  EXPECT_EQ(tools::coordinate(-0.0001), "0");
  EXPECT_EQ(tools::coordinate(1e9), "1000000000");
}

TEST(Chart, TicksAreRound) {
  EXPECT_EQ(tools::round_ticks(0, 10, 5), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  const auto ticks = tools::round_ticks(0.13, 0.52, 4);
  ASSERT_EQ(ticks.size(), 4u);
  EXPECT_NEAR(ticks[0], 0.2, 1e-12);
  EXPECT_NEAR(ticks[3], 0.5, 1e-12);
  EXPECT_EQ(tools::round_ticks(3, 3, 5), std::vector<double>{3});
}

TEST(Chart, DrawsSeriesGapsAndNothing) {
  tools::Chart chart{.title = "Loss & more", .x_label = "step", .y_label = "", .series = {}, .marks = {{2, "here"}}};
  EXPECT_TRUE(contains(tools::line_chart(chart), "no values in this run"));
  chart.series = {{"a", "#123456", {{1, 1}, {2, std::nan("")}, {3, 2}}, false}, {"b", "#654321", {{1, 2}, {3, 3}}, false}};
  const std::string svg = tools::line_chart(chart);
  EXPECT_TRUE(contains(svg, "Loss &amp; more"));
  EXPECT_TRUE(contains(svg, "#123456"));
  EXPECT_TRUE(contains(svg, ">here<"));
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  // A gap starts the line anew.
  const std::string path =
      svg.substr(svg.find("<path d=\""), svg.find("\" fill=\"none\" stroke=\"#123456") - svg.find("<path d=\""));
  EXPECT_EQ(std::count(path.begin(), path.end(), 'M'), 2) << path;
}

TEST(Chart, LongRunsGiveShortFiles) {
  tools::Chart chart{.title = "t", .x_label = "", .y_label = "", .series = {{"a", "#000", {}, true}}, .marks = {}};
  for (int i = 0; i < 100000; ++i) chart.series[0].points.push_back({i, i % 7});
  EXPECT_LT(tools::line_chart(chart).size(), 20000u);
}

TEST(Chart, BarsGrowWithTheirValue) {
  const std::string svg = tools::bar_chart("Dice", {{"half", 0.5, "50 %", "#111"}, {"all", 1, "100 %", "#222"}}, 1, 400);
  EXPECT_TRUE(contains(svg, "50 %"));
  const auto width = [&](const std::string& colour) {
    const auto rect = svg.rfind("<rect", svg.find("fill=\"" + colour));
    return std::stod(svg.substr(svg.find("width=\"", rect) + 7));
  };
  EXPECT_NEAR(width("#111") * 2, width("#222"), 0.02);
}

TEST(Chart, BarsLeaveRoomForTextsInAWideFontAndShowPoints) {
  const std::string name = "l2, nuclear norm, 1:1, pasted warm-up (0.05)", text = "100.0 ± 10.0";  // 44 and 12 letters
  const std::string svg = tools::bar_chart("Dice", {{name, 100, text, "#111", {90, 99}}}, 100, 300);
  const auto after = [&](const std::string& mark, const std::string& attribute) {
    return std::stod(svg.substr(svg.find(" " + attribute + "=\"", svg.find(mark)) + attribute.size() + 3));
  };
  const double left = after("<rect", "x"), bar = after("<rect", "width");
  EXPECT_GE(left, 44 * 8.6);                                    // the name ends before the bar
  EXPECT_GE(after("<svg", "width"), left + bar + 12 * 8.6);     // the text begins behind it
  EXPECT_NEAR(after("<circle", "cx"), left + 0.9 * bar, 0.02);  // the first point
  EXPECT_NEAR(std::stod(svg.substr(svg.rfind("<circle cx=\"") + 12)), left + 0.99 * bar, 0.02);
}

TEST(Contour, OfOnePixelIsItsDiamond) {
  const tools::ClassPlane plane{3, 3, {0, 0, 0, 0, 1, 0, 0, 0, 0}};
  const std::string path = tools::outline(plane, 1);
  for (const char* corner : {"1.5 1", "2 1.5", "1.5 2", "1 1.5"}) EXPECT_TRUE(contains(path, corner));
  EXPECT_EQ(std::count(path.begin(), path.end(), 'Z'), 1);
  EXPECT_EQ(tools::outline(plane, 2), "");
}

TEST(Contour, HolesAndTouchingPixelsGiveClosedLoops) {
  tools::ClassPlane ring{5, 5, std::vector<std::uint8_t>(25, 1)};
  ring.classes[12] = 0;
  const std::string path = tools::outline(ring, 1);
  EXPECT_EQ(std::count(path.begin(), path.end(), 'Z'), 2);  // outside and hole
  EXPECT_EQ(std::count(path.begin(), path.end(), 'M') + std::count(path.begin(), path.end(), 'L'), 20 + 4);
  const tools::ClassPlane diagonal{2, 2, {1, 0, 0, 1}};
  const std::string both = tools::outline(diagonal, 1);
  EXPECT_EQ(std::count(both.begin(), both.end(), 'M') + std::count(both.begin(), both.end(), 'L'), 8);
}

TEST(Overlay, PlanesOfAVolume) {
  tests::Tensor mask = tests::box({2, 3, 4}, {1, 2, 3}, {2, 3, 4}, 5);
  EXPECT_EQ(tools::plane_of(mask, 0, 1).at(2, 3), 5);
  EXPECT_EQ(tools::plane_of(mask, 1, 2).at(1, 3), 5);
  EXPECT_EQ(tools::plane_of(mask, 2, 3).at(1, 2), 5);
  EXPECT_EQ(tools::plane_of(mask, 0, 0).at(2, 3), 0);
}

TEST(Overlay, ThreePlanesOfAVolumeOneOfAnImage) {
  tools::OverlayCase one;
  one.image = tests::Tensor::zeros({8, 8, 8, 1});
  one.truth = tests::box({8, 8, 8}, {2, 2, 2}, {5, 5, 5});
  one.prediction = tests::box({8, 8, 8}, {3, 2, 2}, {5, 5, 5});
  const auto figures = tools::overlay_figures(one);
  ASSERT_EQ(figures.size(), 3u);
  for (const auto& f : figures) {
    EXPECT_TRUE(contains(f, "data:image/png;base64,"));
    EXPECT_TRUE(contains(f, "fill-opacity"));   // truth
    EXPECT_TRUE(contains(f, "fill=\"none\""));  // prediction
  }
  tools::OverlayCase tile{tests::Tensor::zeros({1, 6, 6, 3}),
                          tests::box({1, 6, 6}, {0, 1, 1}, {1, 3, 3}),
                          tests::box({1, 6, 6}, {0, 1, 1}, {1, 3, 3}),
                          {1, 1, 1},
                          false};
  EXPECT_EQ(tools::overlay_figures(tile).size(), 1u);
}
