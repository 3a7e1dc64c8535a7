#include <algorithm>
#include <numeric>

#include "engine/devices/upload.h"
#include "tests/gpu/gpu_check.h"

namespace sagcl::gpu {

/// How much of a copy from pinned memory disappears behind kernels, and whether what arrives is what was sent.
int upload_overlap(const Options& options) {
  const Device at = options.device;
  const std::int64_t n = std::int64_t(1) << 24;
  Tensor host = Tensor::staging({n}, engine::Dtype::f32, at);
  std::iota(host.data<float>(), host.data<float>() + n, 0.0f);
  const Tensor x = Tensor::full({n}, 1, engine::Dtype::f32, at);
  Tensor y = Tensor::empty_like(x), arrived;
  const auto work = [&] {
    for (int k = 0; k < 60; ++k) ops::backend(at).unary(ops::Unary::exp, 0, x, y);
  };
  const auto upload_beside = [&](const std::function<void()>& f) {
    engine::Upload upload({host}, at);
    f();
    arrived = upload.arrive()[0];
  };
  const double works = time_ms(at, 10, work), copies = time_ms(at, 10, [&] { upload_beside([] {}); }),
               both = time_ms(at, 10, [&] { upload_beside(work); });
  const double hidden = (works + copies - both) / std::min(works, copies);
  const bool equal = arrived.to_vector<float>() == host.to_vector<float>(), ok = equal && hidden > 0.7;
  report(options, "overlap", "64 MiB from pinned memory",
         fmt::format("\"kernels_ms\": {:.3f}, \"copy_ms\": {:.3f}, \"both_ms\": {:.3f}, \"hidden\": {:.2f}, \"equal\": {}, "
                     "\"ok\": {}",
                     works, copies, both, hidden, equal, ok));
  return !ok;
}

}  // namespace sagcl::gpu
