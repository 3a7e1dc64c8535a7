#include "engine/devices/device_registry.h"
#include "engine/random.h"
#include "semiagcl/kernels/backend.h"
#include "tests/gpu/gpu_check.h"

namespace sagcl::gpu {

using engine::Dtype;
using engine::Shape;

namespace {

Tensor noise(const Shape& shape, Device device) {
  engine::Generator random(1, "bandwidth");
  std::vector<float> values(std::size_t(shape.size()));
  for (float& v : values) v = float(random.uniform(-1, 1));
  return Tensor::of(shape, values).to(device);
}

}  // namespace

int bandwidths(const Options& options) {
  const Device at = options.device;
  ops::Backend& device = ops::backend(at);
  semiagcl::PaperBackend& paper = semiagcl::paper_backend(at);
  const std::int64_t N = 4, V = 112 * 112 * 80, C = 16;
  const Tensor x = noise({N, V, C}, at), dy = noise({N, V, C}, at), gamma = noise({C}, at), beta = noise({C}, at);
  Tensor y = Tensor::empty_like(x), mean = Tensor::empty({C}, Dtype::f32, at), variance = Tensor::empty_like(mean),
         dgamma = mean.clone(), dbeta = mean.clone();
  const double bytes = double(x.bytes());
  double copy = 0;
  // `passes`: how often the large tensor must be read or written at the least.
  const auto measure = [&](const char* name, double moved, const std::function<void()>& f) {
    const double ms = time_ms(at, 20, f), rate = moved / ms / 1e9;
    if (copy == 0) copy = rate;
    report(options, "bandwidth", name,
           fmt::format("\"ms\": {:.4f}, \"TBps\": {:.3f}, \"of_copy\": {:.2f}", ms, rate, rate / copy));
  };
  measure("copy", 2 * bytes, [&] { engine::runtime(at).copy_within(y.bytes_begin(), x.bytes_begin(), x.bytes()); });
  measure("scale_add", 3 * bytes, [&] { device.scale_add(1, x, 2, dy, y); });
  const ops::NormGeometry batch{.N = N, .V = V, .C = C, .images = N, .channels = 1}, instance{.N = N, .V = V, .C = C};
  Tensor many = Tensor::empty({N * C}, Dtype::f32, at), many_variance = Tensor::empty_like(many);
  measure("norm_statistics", bytes, [&] { device.norm_statistics(batch, x, mean, variance); });
  measure("norm_apply + ReLU", 2 * bytes, [&] { device.norm_apply({batch, {0}, 1e-5, x, mean, variance, gamma, beta}, y); });
  measure("norm_backward + ReLU", 5 * bytes, [&] {
    device.norm_backward({batch, {0}, 1e-5, x, mean, variance, gamma, beta}, false, dy, y, dgamma, dbeta);
  });
  measure("instance norm_statistics", bytes, [&] { device.norm_statistics(instance, x, many, many_variance); });
  measure("sum over voxels (bias gradient)", bytes, [&] { device.sum(x, {1, N * V, C}, 1, mean); });
  measure("channel dropout", 2 * bytes, [&] { device.dropout({0.5, {}, true}, x, y); });
  measure("element dropout", 2 * bytes, [&] { device.dropout({0.5, {}, false}, x, y); });
  {
    const std::int64_t rows = N * V, classes = 2;
    const Tensor z = noise({rows, classes}, at), d = noise({rows, classes}, at);
    Tensor dz = Tensor::empty_like(z), loss = Tensor::zeros({1}, Dtype::f32, at), count = loss.clone(),
           labels = Tensor::zeros({rows}, Dtype::i32, at);
    const Tensor one = Tensor::full({1}, 1, Dtype::f32, at);
    const double scores = double(z.bytes()), marks = double(labels.bytes());
    measure("softmax, 2 classes", 2 * scores, [&] { device.softmax(false, z, dz); });
    measure("softmax backward, 2 classes", 3 * scores, [&] { device.softmax_backward(false, z, d, dz); });
    measure("cross_entropy", scores + marks, [&] { device.cross_entropy(z, labels, loss, count); });
    measure("cross_entropy_backward", 2 * scores + marks, [&] { device.cross_entropy_backward(z, labels, count, one, dz); });
  }
  {
    const std::int64_t n = 24, c = 16;
    const ops::PoolGeometry pool{n, c, {{1, 256, 256}}, {{1, 128, 128}}, {{1, 2, 2}}, {{1, 2, 2}}};
    const ops::ResizeGeometry up{n, c, {{1, 128, 128}}, {{1, 256, 256}}, true, true};
    const Tensor whole = noise({n, 1, 256, 256, c}, at), half = noise({n, 1, 128, 128, c}, at);
    Tensor large = Tensor::empty_like(whole), little = Tensor::empty_like(half),
           index = Tensor::empty(half.shape(), Dtype::u8, at);
    Tensor both = Tensor::empty({n, 1, 256, 256, 2 * c}, Dtype::f32, at);
    const double l = double(whole.bytes()), s = double(half.bytes());
    measure("max_pool", l + s * 1.25, [&] { device.max_pool(pool, whole, little, index); });
    measure("max_pool_backward", l + s * 1.25, [&] { device.max_pool_backward(pool, index, half, large); });
    measure("resize x2", l + s, [&] { device.resize(up, half, large); });
    measure("resize x2 backward", l + s, [&] { device.resize_backward(up, whole, little); });
    measure("copy_block (concatenation)", 2 * l, [&] {
      device.copy_block({{n, 1, 256, 256, c}, {n, 1, 256, 256, 2 * c}, {}, {0, 0, 0, 0, c}, {n, 1, 256, 256, c}}, whole,
                        both);
    });
  }
  {
    std::vector<ops::AdamSlot> slots;
    std::vector<std::pair<Tensor, Tensor>> pairs;
    double size = 0;
    for (int i = 0; i < 120; ++i) {
      const Tensor p = noise({i % 4 == 0 ? 300000 : 64}, at);
      slots.push_back({p, p.clone(), Tensor::zeros_like(p), Tensor::zeros_like(p)});
      pairs.emplace_back(p.clone(), p);
      size += double(p.bytes());
    }
    const Tensor rates = Tensor::of<double>({3}, {1e-2, 1, 1}, at), alpha = Tensor::of<double>({1}, {0.99}, at);
    measure("adam, 9 million parameters", 7 * size, [&] { device.adam({}, rates, {}, slots); });
    measure("teacher average", 3 * size, [&] { device.average(alpha, {}, pairs); });
  }
  {
    const ops::Extents grid{{4, 4, 4}};
    const Tensor image = noise({N, 112, 112, 80, 1}, at), map = noise({N, 112, 112, 80, 2}, at),
                 rows = image.reshape({N, V});
    Tensor range = Tensor::empty({N, 2}, Dtype::f32, at), means = Tensor::empty({N, 64, 2}, Dtype::f32, at),
           unit = Tensor::empty_like(rows);
    measure("quantiles, 4 rows of a million", 4 * double(rows.bytes()), [&] {
      device.quantiles(0, {0.005, 0.995}, rows, range);
    });
    measure("unit_range", 2 * double(rows.bytes()), [&] { device.unit_range(rows, range, unit); });
    measure("patch_means, entropy", double(image.bytes() + map.bytes()),
            [&] { paper.patch_means(semiagcl::PatchMean::clamped_entropy, grid, image, map, means); });
    const std::int64_t K = 4, S = 4096, B = 80, closest = 1024, H = 312, dim = 128;
    const semiagcl::KeyRing ring{noise({K, S, dim}, at), noise({K, S}, at),
                                 Tensor::of<std::int32_t>({K}, {4096, 4096, 4096, 4096}, at),
                                 Tensor::zeros({K}, Dtype::i32, at)};
    const Tensor score = noise({B, K * S}, at), theta = Tensor::zeros({1}, Dtype::f32, at), ranked = noise({6144, K}, at);
    const auto places = [&](const Shape& shape) { return Tensor::empty(shape, Dtype::i32, at); };
    semiagcl::Closest keys{places({B, closest}), places({B}), places({B})};
    Tensor mixed = Tensor::empty({B, H, dim}, Dtype::f32, at), picks = places({K, 20}), counted = places({K});
    measure("closest_keys, 80 of 16384", 4 * double(score.bytes()), [&] { paper.closest_keys(ring, theta, score, keys); });
    measure("mixtures", 3 * double(mixed.bytes()),
            [&] { paper.mixtures(semiagcl::MixWeight::affinity, {}, ring, keys, mixed); });
    measure("top_rows of 6144", double(ranked.bytes()), [&] { device.top_rows(0, ranked, ranked, picks, counted); });
  }
  for (const std::int64_t n : {64, 256, 512})
    for (const bool polar : {false, true}) {
      if (polar && n <= 64) continue;  // small graphs have one way
      const Tensor a = noise({1, n, n}, at);
      Tensor value = Tensor::empty({1}, Dtype::f32, at), subgradient = Tensor::empty_like(a);
      const double ms = time_ms(at, 3, [&] { device.nuclear_norm({.polar = polar}, a, value, subgradient); });
      report(options, "bandwidth", fmt::format("nuclear_norm {}, {}", n, polar ? "polar" : "SVD"),
             fmt::format("\"ms\": {:.3f}, \"value\": {:.4f}", ms, value.item()));
    }
  return 0;
}

}  // namespace sagcl::gpu
