#include <gtest/gtest.h>

#include "datasets/formats/gzip.h"
#include "datasets/formats/png.h"
#include "datasets/formats/png_check.h"
#include "datasets/normalise.h"
#include "tests/datasets/scratch.h"

namespace sagcl::tests {
namespace {

using namespace sagcl::datasets;
using engine::DataError;
using engine::Shape;

std::string number(std::size_t v) { return {char(v >> 24), char(v >> 16), char(v >> 8), char(v)}; }
std::string chunk(const std::string& type, const std::string& data) {
  return number(data.size()) + type + data + number(crc32_of(type + data));
}
std::string ihdr(std::size_t w, std::size_t h, int bits, int colour, int interlace = 0) {
  return chunk("IHDR", number(w) + number(h) + char(bits) + char(colour) + std::string(2, '\0') + char(interlace));
}
const std::string mark(png_mark, 8), iend = chunk("IEND", "");
std::string idat(const std::string& rows) { return chunk("IDAT", deflate_zlib(rows)); }
std::string bytes(std::initializer_list<int> values) {
  std::string s;
  for (int v : values) s += char(v);
  return s;
}
Tensor u8(const Shape& shape, const std::vector<std::uint8_t>& values) { return Tensor::of(shape, values); }

TEST(Png, GreyAndColourRoundTrip) {
  const Tensor grey = u8({2, 3}, {0, 1, 2, 100, 200, 255}), rgb = u8({1, 2, 3}, {10, 20, 30, 250, 0, 5});
  const Image a = decode_png(encode_png(grey), "a.png");
  EXPECT_EQ(a.voxels.shape(), Shape({1, 2, 3, 1}));
  EXPECT_EQ(a.voxels.to_doubles(), grey.to_doubles());
  const Image b = decode_png(encode_png(rgb), "b.png");
  EXPECT_EQ(b.voxels.shape(), Shape({1, 1, 2, 3}));
  EXPECT_EQ(b.voxels.to_doubles(), rgb.to_doubles());
  EXPECT_EQ(encode_png(rgb), encode_png(rgb));
}

TEST(Png, ChannelsAsAsked) {
  const std::string grey = encode_png(u8({1, 2}, {7, 9})), rgb = encode_png(u8({1, 1, 3}, {10, 20, 30}));
  EXPECT_EQ(decode_png(grey, "g", 3).voxels.to_doubles(), (std::vector<double>{7, 7, 7, 9, 9, 9}));
  EXPECT_NEAR(decode_png(rgb, "c", 1).voxels.item(), 0.299 * 10 + 0.587 * 20 + 0.114 * 30, 1e-5);
  EXPECT_THROW(decode_png(rgb, "c", 4), engine::UsageError);
}

TEST(Png, PaletteShowsColoursAndKeepsClasses) {
  const std::string file = encode_png(u8({1, 3}, {0, 2, 1}), {{0, 0, 0}, {255, 0, 0}, {0, 128, 64}});
  EXPECT_EQ(decode_png(file, "p").voxels.to_doubles(), (std::vector<double>{0, 0, 0, 0, 128, 64, 255, 0, 0}));
  EXPECT_EQ(decode_png_label(file, "p").values.to_doubles(), (std::vector<double>{0, 2, 1}));
  expect_error([] { encode_png(u8({1, 1}, {2}), {{0, 0, 0}}); }, {"index 2"});
}

TEST(Png, SixteenBits) {
  const std::string file = mark + ihdr(2, 1, 16, 0) + idat(bytes({0, 0x12, 0x34, 0xff, 0xff})) + iend;
  EXPECT_EQ(decode_png(file, "s").voxels.to_doubles(), (std::vector<double>{0x1234, 0xffff}));
  EXPECT_EQ(decode_png_label(file, "s").values.to_doubles(), (std::vector<double>{0x1234, 0xffff}));
}

/// Two bits per pixel, 5 pixels 0 1 2 3 1 = 00011011 01......: labels are the stored values, images are stretched to 0..255.
TEST(Png, FewBits) {
  const std::string file = mark + ihdr(5, 1, 2, 0) + idat(bytes({0, 0b00011011, 0b01000000})) + iend;
  EXPECT_EQ(decode_png_label(file, "b").values.to_doubles(), (std::vector<double>{0, 1, 2, 3, 1}));
  EXPECT_EQ(decode_png(file, "b").voxels.to_doubles(), (std::vector<double>{0, 85, 170, 255, 85}));
}

/// Each of the five row filters, undone by hand: rows (1 2 3) five times.
TEST(Png, RowFiltersOfLabels) {
  const std::string rows =
      bytes({0, 1, 2, 3}) + bytes({1, 1, 1, 1}) + bytes({2, 0, 0, 0}) + bytes({3, 1, 1, 1}) + bytes({4, 0, 0, 0});
  // average: 1 - (0+1)/2 = 1, 2 - (1+2)/2 = 1, 3 - (2+3)/2 = 1; Paeth: above is nearest each time
  const std::string file = mark + ihdr(3, 5, 8, 0) + idat(rows) + iend;
  std::vector<double> expected;
  for (int y = 0; y < 5; ++y) expected.insert(expected.end(), {1, 2, 3});
  EXPECT_EQ(decode_png_label(file, "f").values.to_doubles(), expected);
  EXPECT_EQ(decode_png(file, "f").voxels.to_doubles(), expected);
}

TEST(Png, ColouredLabelsMustBeGrey) {
  EXPECT_EQ(decode_png_label(encode_png(u8({1, 2, 3}, {0, 0, 0, 255, 255, 255})), "l").values.to_doubles(),
            (std::vector<double>{0, 255}));
  expect_error(
      [] {
        decode_png_label(encode_png(u8({1, 2, 3}, {0, 0, 0, 255, 0, 0})), "red.png");
      },
      {"red.png", "(255, 0, 0)", "row 0, column 1", "palette"});
}

/// White is foreground in every viewer, however few bits it takes.
TEST(Png, RulesForGreyValuesReadWhatIsShown) {
  const std::string bilevel = mark + ihdr(3, 1, 1, 0) + idat(bytes({0, 0b01000000})) + iend,
                    deep = mark + ihdr(2, 1, 16, 0) + idat(bytes({0, 0, 0, 0xff, 0xff})) + iend,
                    black_white = encode_png(u8({1, 3}, {0, 1, 0}), {{0, 0, 0}, {255, 255, 255}}),
                    coloured = encode_png(u8({1, 3}, {0, 1, 0}), {{0, 0, 0}, {200, 30, 30}});
  const LabelRule cut{.threshold = 128, .map = {}}, map{.threshold = 0, .map = {{0, 0}, {255, 1}}};
  const auto classes = [](const LabelRule& rule, const std::string& file) {
    return apply_rule(rule, decode_png_label(file, "m.png"), 2, "m.png").to_doubles();
  };
  for (const LabelRule& rule : {cut, map}) {
    EXPECT_EQ(classes(rule, bilevel), (std::vector<double>{0, 1, 0}));
    EXPECT_EQ(classes(rule, black_white), (std::vector<double>{0, 1, 0}));
    EXPECT_EQ(classes(rule, deep), (std::vector<double>{0, 1}));
  }
  EXPECT_EQ(classes({}, bilevel), (std::vector<double>{0, 1, 0}));  // stored values are the classes
  EXPECT_EQ(classes({.threshold = 0, .map = {{0, 1}, {1, 0}}}, bilevel), (std::vector<double>{1, 0, 1}));
  expect_error([&] { classes(cut, coloured); }, {"m.png", "1 of 3"});
}

TEST(Png, WhiteIsOneInAnyDepth) {
  const Image shallow = decode_png(encode_png(u8({1, 2}, {51, 255})), "a"),
              deep = decode_png(mark + ihdr(2, 1, 16, 0) + idat(bytes({0, 51, 51, 255, 255})) + iend, "b");
  EXPECT_EQ(deep.white, 65535);
  EXPECT_EQ(normalise(deep.voxels, Normalisation::unit, deep.white).to_doubles(),
            normalise(shallow.voxels, Normalisation::unit, shallow.white).to_doubles());
}

TEST(Png, InfoIsTheFilesFirstBytes) {
  Scratch s;
  put(s / "a.png", encode_png(u8({2, 3}, {0, 1, 2, 3, 4, 5})));
  put(s / "b.png", encode_png(u8({1, 1, 3}, {1, 2, 3})));
  EXPECT_TRUE(read_png_info(s / "a.png").is_grey());
  EXPECT_EQ(read_png_info(s / "a.png").width, 3);
  EXPECT_FALSE(read_png_info(s / "b.png").is_grey());
  put(s / "c.png", "GIF89a");
  expect_error([&] { read_png_info(s / "c.png"); }, {"c.png", "not a PNG"});
  put(s / "d.png", mark + "\0\0");
  expect_error([&] { read_png_info(s / "d.png"); }, {"d.png", "IHDR"});
}

TEST(PngMalformed, Bombs) {
  const std::string large = mark + ihdr(60000, 60000, 8, 2) + idat("x") + iend;
  expect_error([&] { decode_png(large, "large.png"); }, {"large.png", "60000 x 60000", "tiles"});
  const std::string lying = mark + ihdr(9000, 9000, 16, 6) + idat("x") + iend;
  expect_error([&] { decode_png(lying, "lying.png"); }, {"lying.png", "more than", "bytes can hold"});
  const std::string short_data = mark + ihdr(100, 100, 8, 0) + idat(std::string(5000, '\0')) + iend;
  expect_error([&] { decode_png(short_data, "short.png"); }, {"short.png", "10100", "only"});
  const std::string swollen =
      mark + ihdr(10, 10, 8, 0) + idat(std::string(50'000'000, '\0')) + iend;  // 49 kB that inflate to 50 MB
  expect_error([&] { decode_png(swollen, "swollen.png"); }, {"swollen.png", "more than its header declares"});
  expect_error([&] { decode_png(mark + ihdr(0, 5, 8, 0) + idat("x") + iend, "empty.png"); }, {"0 x 5"});
  expect_error([&] { decode_png(mark + ihdr(0xffffffff, 0xffffffff, 8, 0) + idat("x") + iend, "huge.png"); },
               {"4294967295"});
}

TEST(PngMalformed, Structure) {
  const std::string rows = bytes({0, 1, 2}), good = mark + ihdr(2, 1, 8, 0) + idat(rows) + iend;
  EXPECT_NO_THROW(decode_png(good, "good"));
  std::string flipped = good;
  flipped[20] ^= 1;
  expect_error([&] { decode_png(flipped, "f.png"); }, {"f.png", "checksum"});
  expect_error([] { decode_png("GIF89a", "g.png"); }, {"g.png", "not a PNG"});
  expect_error([&] { decode_png(mark + idat(rows) + iend, "h"); }, {"IHDR"});
  expect_error([&] { decode_png(mark + ihdr(2, 1, 8, 0) + iend, "i"); }, {"no image data"});
  expect_error([&] { decode_png(mark + ihdr(2, 1, 8, 3) + idat(rows) + iend, "j"); }, {"palette is missing"});
  expect_error([&] { decode_png(mark + ihdr(2, 1, 4, 2) + idat(rows) + iend, "k"); }, {"colour type 2 with 4 bits"});
  expect_error([&] { decode_png(mark + ihdr(2, 1, 8, 0, 2) + idat(rows) + iend, "l"); }, {"interlacing"});
  expect_error([&] { decode_png(mark + ihdr(2, 1, 8, 0) + number(1u << 31) + "IDAT", "m"); }, {"truncated"});
  expect_error([&] { decode_png(mark + ihdr(2, 1, 8, 0) + chunk("ABCD", "") + idat(rows) + iend, "n"); },
               {"unknown critical chunk"});
  expect_error([&] { decode_png(mark + ihdr(2, 1, 8, 0) + idat(bytes({9, 1, 2})) + iend, "o"); }, {"o"});
  expect_error([&] { decode_png_label(mark + ihdr(2, 1, 8, 0) + idat(bytes({9, 1, 2})) + iend, "p"); }, {"filter 9"});
  for (std::size_t n = 0; n < good.size(); ++n) EXPECT_THROW(decode_png(good.substr(0, n), "cut"), DataError) << n;
}

/// Adam7: a 1 x 1 image has one pass with one pixel; 9 x 9 has all seven.
TEST(Png, InterlacedSizes) {
  PngInfo info{.width = 1, .height = 1, .interlaced = true};
  EXPECT_EQ(png_raw_bytes(info), 2u);
  info.width = info.height = 8;  // passes 1x1 1x1 2x1 2x2 4x2 4x4 8x4: 64 pixels and 1+1+1+2+2+4+4 row bytes
  EXPECT_EQ(png_raw_bytes(info), 64u + 15u);
  std::string rows;
  const int widths[] = {1, 1, 2, 2, 4, 4, 8}, heights[] = {1, 1, 1, 2, 2, 4, 4};
  for (int p = 0; p < 7; ++p)
    for (int y = 0; y < heights[p]; ++y) rows.append(1, '\0').append(std::size_t(widths[p]), char(p + 1));
  const Image image = decode_png(mark + ihdr(8, 8, 8, 0, 1) + idat(rows) + iend, "i");
  EXPECT_EQ(image.voxels.to_doubles()[0], 1);  // pass 1 begins at the corner
  EXPECT_EQ(image.voxels.to_doubles()[8], 7);  // pass 7 fills the odd rows
}

}  // namespace
}  // namespace sagcl::tests
