#include "semiagcl/components.h"

#include <algorithm>

#include "engine/extents.h"

namespace sagcl::semiagcl {

using engine::Dtype;
using engine::Extents;

Components connected_components(const Tensor& mask) {
  const engine::Shape& s = mask.shape();
  engine::require(s.rank() == 2 || s.rank() == 3, "connected_components: a mask must be [H,W] or [D,H,W], got {}", s);
  const Extents size = s.rank() == 2 ? Extents{{1, s[0], s[1]}} : Extents{{s[0], s[1], s[2]}};
  const Tensor host = mask.to(engine::Device::cpu());
  Components out{Tensor::zeros(s, Dtype::i32), {}};
  std::int32_t* label = out.labels.data<std::int32_t>();
  visit_any(host.dtype(), [&]<class T>(engine::Type<T>) {
    const T* inside = host.data<T>();
    std::vector<std::int64_t> open;  // a stack of voxels whose neighbours are still to be seen: no recursion
    for (std::int64_t first = 0; first < host.size(); ++first) {
      if (inside[first] == T(0) || label[first]) continue;
      out.sizes.push_back(0);
      const auto name = std::int32_t(out.sizes.size());
      label[first] = name, open.push_back(first);
      while (!open.empty()) {
        Extents p, n;
        engine::split(open.back(), size, p), open.pop_back();
        ++out.sizes.back();
        for (n[0] = std::max<std::int64_t>(p[0] - 1, 0); n[0] <= std::min(p[0] + 1, size[0] - 1); ++n[0])
          for (n[1] = std::max<std::int64_t>(p[1] - 1, 0); n[1] <= std::min(p[1] + 1, size[1] - 1); ++n[1])
            for (n[2] = std::max<std::int64_t>(p[2] - 1, 0); n[2] <= std::min(p[2] + 1, size[2] - 1); ++n[2]) {
              const std::int64_t i = engine::join(0, n, size);
              if (inside[i] != T(0) && !label[i]) label[i] = name, open.push_back(i);
            }
      }
    }
  });
  return out;
}

Tensor largest_component(const Tensor& mask) {
  const Components c = connected_components(mask);
  Tensor out = Tensor::zeros(mask.shape(), Dtype::u8);
  if (c.sizes.empty()) return out;
  const auto best = std::int32_t(std::max_element(c.sizes.begin(), c.sizes.end()) - c.sizes.begin()) + 1;
  for (std::int64_t i = 0; i < out.size(); ++i) out.data<std::uint8_t>()[i] = c.labels.data<std::int32_t>()[i] == best;
  return out;
}

}  // namespace sagcl::semiagcl
