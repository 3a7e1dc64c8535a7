#include "semiagcl/evaluation/resample.h"

#include "tests/support/golden.h"

using namespace sagcl;
using namespace sagcl::semiagcl;
using tests::Golden;
using tests::identical;

TEST(Resample, GoldenZoomIndices) {
  const Golden g("metrics_resample");
  const auto in = g.integers("zoom/in"), out = g.integers("zoom/out"), index = g.integers("zoom/index");
  std::size_t at = 0;
  for (std::size_t i = 0; i < in.size(); ++i) {
    const std::vector<std::int64_t> mine = zoom_index(in[i], out[i]);
    EXPECT_EQ(mine, (std::vector<std::int64_t>(index.begin() + std::ptrdiff_t(at),
                                               index.begin() + std::ptrdiff_t(at) + std::ptrdiff_t(out[i]))))
        << in[i] << " to " << out[i];
    at += std::size_t(out[i]);
  }
  EXPECT_EQ(at, index.size());
}

TEST(Resample, GoldenZooms) {
  const Golden g("metrics_resample");
  for (const char* name : {"zoom2d_a", "zoom2d_b", "zoom2d_c", "zoom2d_quirk"}) {
    const engine::Tensor y = g.get(std::string(name) + "/y");
    EXPECT_TRUE(identical(zoom_nearest(g.get(std::string(name) + "/x"), y.shape()[0], y.shape()[1]), y)) << name;
  }
}

TEST(Resample, EveryPlaneAndChannelAlike) {
  engine::Tensor image = engine::Tensor::empty({2, 2, 2, 3});
  for (int i = 0; i < 24; ++i) image.data<float>()[i] = float(i);
  const engine::Tensor out = zoom_nearest(image, 3, 4);
  ASSERT_EQ(out.shape(), engine::Shape({2, 3, 4, 3}));
  EXPECT_EQ(out.data<float>()[((1 * 3 + 2) * 4 + 0) * 3 + 1], 12 + 6 + 1);  // plane 1, last row, first column, channel 1
  EXPECT_EQ(zoom_nearest(image.reshape({2, 2, 6}), 3, 6).shape(), engine::Shape({2, 3, 6}));
}

TEST(Resample, GoldenRotations) {
  const Golden g("metrics_resample");
  for (const char* name : {"rotate_12x20", "rotate_16x16", "rotate_17x13"}) {
    const engine::Tensor x = g.get(std::string(name) + "/x"), y = g.get(std::string(name) + "/y");
    const auto angles = g.integers(std::string(name) + "/angle_degrees");
    const std::vector<double> all = y.to_doubles();
    for (std::size_t a = 0; a < angles.size(); ++a) {
      const std::vector<double> mine = rotate_nearest(x, double(angles[a])).to_doubles();
      EXPECT_EQ(mine, (std::vector<double>(all.begin() + std::ptrdiff_t(a * mine.size()),
                                           all.begin() + std::ptrdiff_t((a + 1) * mine.size()))))
          << name << " by " << angles[a];
    }
  }
}

TEST(Resample, LastRowOf256To216IsZero) {
  EXPECT_EQ(zoom_index(256, 216).back(), -1);
  EXPECT_EQ(zoom_index(5, 1), (std::vector<std::int64_t>{0}));
  EXPECT_EQ(zoomed_length(5, 0.5), 2);  // half to even
}
