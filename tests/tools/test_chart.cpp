#include <algorithm>
#include <cmath>

#include "datasets/formats/png.h"
#include "tests/tools/tools_support.h"
#include "tools/report/canvas.h"
#include "tools/report/chart.h"
#include "tools/report/contour.h"
#include "tools/report/html.h"
#include "tools/report/overlay.h"
#include "tools/report/stroke_font.h"

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
  const std::size_t end = svg.rfind("\" fill=\"none\" stroke=\"#123456"), begin = svg.rfind("<path d=\"", end);
  const std::string path = svg.substr(begin, end - begin);
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
  EXPECT_GE(left, (44 + 12) * 8.6);  // name and text end before the bar
  EXPECT_GE(after("<svg", "width"), left + bar);
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

namespace {

/// The first channel of a picture.
struct Pixels {
  explicit Pixels(const std::string& png) : image(datasets::decode_png(png, "picture", 3).voxels) {}
  float at(std::int64_t y, std::int64_t x) const { return image.data<float>()[(y * image.shape()[2] + x) * 3]; }
  tests::Tensor image;  // f32 [1, H, W, 3]
};

}  // namespace

TEST(Canvas, LinesCoverWhatTheyCover) {
  tools::Canvas canvas(8, 6, 1);
  canvas.line({{1, 2.5}, {7, 2.5}}, {.colour = "#000"});                 // exactly row 2
  canvas.line({{1, 5}, {7, 5}}, {.colour = "#000000", .opacity = 0.5});  // half of rows 4 and 5, half opaque
  const Pixels p(canvas.png());
  EXPECT_EQ(p.image.shape(), (engine::Shape{1, 6, 8, 3}));
  for (std::int64_t x = 1; x < 7; ++x) {
    EXPECT_EQ(p.at(2, x), 0);
    EXPECT_EQ(p.at(1, x), 255);
    EXPECT_EQ(p.at(4, x), 191);
    EXPECT_EQ(p.at(5, x), 191);
  }
}

TEST(Canvas, JointsAreNoDarkerAndGapsStayWhite) {
  tools::Canvas canvas(9, 9, 1);
  canvas.line({{1, 4.5}, {4.5, 4.5}, {4.5, 8}}, {.colour = "#000", .opacity = 0.4});
  canvas.line({{1, 1.5}, {3, 1.5}, {4.5, std::nan("")}, {6, 1.5}, {8, 1.5}}, {.colour = "#000"});
  const Pixels p(canvas.png());
  EXPECT_EQ(p.at(4, 4), 153);  // 255 · 0.6
  EXPECT_EQ(p.at(4, 2), 153);
  EXPECT_EQ(p.at(1, 2), 0);
  EXPECT_EQ(p.at(1, 4), 255);
  EXPECT_EQ(p.at(1, 6), 0);
}

TEST(Canvas, AreasHaveHolesAndSmoothSides) {
  tools::Canvas canvas(8, 8, 1);
  const auto square = [](double from, double to) { return tools::Points{{from, from}, {to, from}, {to, to}, {from, to}}; };
  canvas.area({square(1, 7.5), square(3, 5)}, "#000", 1);
  const Pixels p(canvas.png());
  EXPECT_EQ(p.at(0, 0), 255);
  EXPECT_EQ(p.at(2, 2), 0);
  EXPECT_EQ(p.at(4, 4), 255);
  EXPECT_EQ(p.at(4, 7), 128);  // half covered
  EXPECT_EQ(p.at(7, 7), 191);  // a quarter: 255 · 3/4 = 191.25
}

TEST(Canvas, LettersHaveWidthsAndUnknownOnesAreBoxes) {
  const auto strokes = tools::strokes_of("l", 100);  // from the top of capitals to the base line
  ASSERT_EQ(strokes.lines.size(), 1u);
  EXPECT_EQ(strokes.lines[0], (tools::Points{{0, -72}, {0, 0}}));
  EXPECT_LT(tools::strokes_of("iii", 10).width, tools::strokes_of("mmm", 10).width);
  EXPECT_EQ(tools::strokes_of("θ", 10).lines, tools::strokes_of("#", 10).lines);
  for (const char c : std::string("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"))
    EXPECT_NE(tools::strokes_of({c}, 10).lines, tools::strokes_of("#", 10).lines) << c;
}

TEST(Canvas, AnOverlayIsTintedWhereTheTruthIsAndCanStandOnItsHead) {
  tools::OverlayCase one{tests::Tensor::zeros({1, 16, 32, 1}),
                         tests::Tensor::zeros({1, 16, 32}, engine::Dtype::u8),
                         tests::Tensor::zeros({1, 16, 32}, engine::Dtype::u8),
                         {1, 1, 1},
                         false};
  for (std::int64_t y = 0; y < 4; ++y)
    for (std::int64_t x = 0; x < 8; ++x) one.truth.data<std::uint8_t>()[y * 32 + x] = 1;
  one.truth.data<std::uint8_t>()[15 * 32 + 20] = 255;  // nobody annotated it
  for (const bool upside_down : {false, true}) {
    one.upside_down = upside_down;
    const auto picture = tools::overlay_picture(one);
    EXPECT_EQ(picture.width, 320);
    EXPECT_EQ(picture.height, 160);
    const Pixels p(picture.png);
    EXPECT_EQ(p.at(upside_down ? 139 : 20, 40), 97);  // 0.38 of the 255 of #ffa41b on black
    EXPECT_EQ(p.at(upside_down ? 20 : 139, 40), 0);
    EXPECT_EQ(p.at(upside_down ? 5 : 155, 205), 0);
  }
}
