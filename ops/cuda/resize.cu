#include "ops/cuda/cuda_backend.cuh"

#include <algorithm>
#include "ops/cuda/fours.cuh"
#include "ops/cuda/resize_kernels.cuh"

namespace sagcl::ops::cuda {

void CudaBackend::resize(const ResizeGeometry& g, const Tensor& x, Tensor& y) {
  if (!in_fours(g.C, x, g.N * std::max(g.in.volume(), g.out.volume()))) return Shared::resize(g, x, y);
  if (y.size() == 0) return;
  const ResizePlan plan = ResizePlan::forward(g);
  visit_fours(x, [&](auto type) {
    using V = typename decltype(type)::type;
    const auto kernel = g.in[0] == 1 ? resize_kernel<2, V> : resize_kernel<4, V>;
    kernel<<<unsigned(plan.blocks), resize_threads, 0, stream()>>>(plan, fours<V>(x), fours<V>(y));
  });
  check_launch("resize");
}

void CudaBackend::resize_backward(const ResizeGeometry& g, const Tensor& dy, Tensor& dx) {
  if (!in_fours(g.C, dx, g.N * std::max(g.in.volume(), g.out.volume())) || ResizePlan::backward_width(g) == 0)
    return Shared::resize_backward(g, dy, dx);
  if (dx.size() == 0) return;
  const ResizePlan plan = ResizePlan::backward(g);
  visit_fours(dx, [&](auto type) {
    using V = typename decltype(type)::type;
    resize_backward_kernel<<<unsigned(plan.blocks), resize_threads, 0, stream()>>>(plan, fours<V>(dy), fours<V>(dx));
  });
  check_launch("resize_backward");
}

}  // namespace sagcl::ops::cuda
