#include <vector>

#include "ops/cpu/cpu_backend.h"

namespace sagcl::ops::cpu {

/// The chains of the shared kernel, linked in one pass from the last to the first.
void CpuBackend::scatter_rows(const Tensor& index, const Tensor& dy, Tensor& dx) {
  if (dx.size() == 0) return;
  const std::int64_t rows = dx.shape()[0], columns = dx.size() / rows;
  std::vector<std::int32_t> first(std::size_t(rows), -1), next(std::size_t(index.size()));
  for (std::int64_t m = index.size() - 1; m >= 0; --m) {
    std::int32_t& of_row = first[std::size_t(index.data<std::int32_t>()[m])];
    next[std::size_t(m)] = of_row;
    of_row = std::int32_t(m);
  }
  engine::visit_float(dx.dtype(), [&]<class T>(engine::Type<T>) {
    CpuLaunch::for_rows(rows, columns,
                        kernels::ScatterRows<T>{first.data(), next.data(), dy.data<T>(), dx.data<T>(), columns});
  });
}

}  // namespace sagcl::ops::cpu
