// Lesson 1: what a tensor is, and where its numbers lie. The page is docs/learn/01-tensors-and-layout.md.
#include <string>
#include <vector>

#include "engine/random.h"
#include "engine/tensor.h"
#include "ops/arithmetic.h"
#include "tools/learn/lesson.h"

using namespace sagcl;
using engine::Tensor;

namespace {

constexpr int H = 3, W = 4, C = 2;

/// Where element (h, w, c) of an image [H, W, C] lies: rows one after the other, in them voxels, in them channels.
int address(int h, int w, int c) { return (h * W + w) * C + c; }

/// An image whose numbers say where they belong: 100 h + 10 w + c.
Tensor numbered_image() {
  Tensor image = Tensor::empty({1, 1, H, W, C});  // [N, D, H, W, C]: one image, a volume of depth one
  for (int h = 0; h < H; ++h)
    for (int w = 0; w < W; ++w)
      for (int c = 0; c < C; ++c) image.data<float>()[address(h, w, c)] = float(100 * h + 10 * w + c);
  return image;
}

/// The message of the error that f throws, or nothing.
template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const engine::Error& e) { return e.what(); }
  return "";
}

/// The sum of each channel of a volume [voxels, channels], in the order that the two loops give.
std::vector<float> channel_sums(const Tensor& volume, bool along_memory) {
  const std::int64_t voxels = volume.shape()[0], channels = volume.shape()[1];
  const float* x = volume.data<float>();
  std::vector<float> sums(std::size_t(channels), 0.0f);
  float* sum = sums.data();
  if (along_memory)
    for (std::int64_t v = 0; v < voxels; ++v)
      for (std::int64_t c = 0; c < channels; ++c) sum[c] += x[v * channels + c];
  else
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t v = 0; v < voxels; ++v) sum[c] += x[v * channels + c];
  return sums;
}

}  // namespace

int main() {
  learn::Claims claims;

  const Tensor image = numbered_image();
  fmt::print("An image of shape {}: {} numbers of type {}, {} bytes. In memory:\n", image.shape(), image.size(),
             image.dtype(), image.bytes());
  const std::vector<float> memory = image.to_vector<float>();
  for (int i = 0; i < int(memory.size()); ++i) fmt::print("{:4.0f}{}", memory[i], i % (W * C) == W * C - 1 ? "\n" : "");
  claims.check(memory[address(2, 1, 0)] == 210, "row 2, column 1, channel 0 lies at (2 * {} + 1) * {} + 0 = {}", W, C,
               address(2, 1, 0));
  claims.check(address(2, 1, 1) - address(2, 1, 0) == 1 && address(2, 2, 0) - address(2, 1, 0) == C &&
                   address(2, 1, 0) - address(1, 1, 0) == W * C,
               "the next channel is 1 number away, the next voxel {}, the next row {}", C, W * C);

  fmt::print("\nA tensor is a handle: copies share the numbers.\n");
  Tensor copy = image, own = image.clone();
  const Tensor table = image.reshape({H * W, C});
  copy.data<float>()[0] = -1;
  claims.check(image.data<float>()[0] == -1, "a copy was changed: the original shows it");
  claims.check(table.data<float>()[0] == -1, "and so does the same memory seen as {}", table.shape());
  claims.check(own.data<float>()[0] == 0, "a clone has numbers of its own");

  fmt::print("\nWhat does not fit is an error:\n");
  // operations take a Variable: a tensor that may want a derivative (lesson 2)
  const autograd::Variable matrix(Tensor::zeros({2, 3})), row(Tensor::zeros({3}));
  const std::string broadcast = error_of([&] { ops::add(matrix, row); });
  const std::string type = error_of([&] { matrix.value().data<std::int32_t>(); });
  fmt::print("  {}\n  {}\n", broadcast, type);
  claims.check(!broadcast.empty() && !type.empty(), "shapes are not stretched and types not converted in silence");

  fmt::print("\nThe sum of each channel, with the two loops in either order:\n");
  Tensor volume = Tensor::empty({32 * 32 * 16, 256});  // the voxels of a small volume, 256 channels each: 16 MiB
  engine::Generator random(0, "lesson 1");
  for (std::int64_t i = 0; i < volume.size(); ++i) volume.data<float>()[i] = float(random.integer(10));
  std::vector<float> along, across;
  const double along_ms = learn::milliseconds(3, [&] { along = channel_sums(volume, true); });
  const double across_ms = learn::milliseconds(3, [&] { across = channel_sums(volume, false); });
  fmt::print("  along the memory: {:.3g} ms, channel by channel across it: {:.3g} ms\n", along_ms, across_ms);
  claims.check(along == across, "both give the same sums");
  return claims.exit_code();
}
