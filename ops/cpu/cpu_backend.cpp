#include "ops/cpu/cpu_backend.h"

#include "ops/cpu/conv.h"
#include "ops/cpu/decompositions.h"
#include "ops/cpu/matmul.h"

namespace sagcl::ops::cpu {

void CpuBackend::matmul(const MatmulGeometry& g, const Tensor& a, const Tensor& b, Tensor& y) { cpu::matmul(g, a, b, y); }

void CpuBackend::conv_forward(const ConvGeometry& g, const Tensor& x, const Tensor& w, const Tensor& b, Tensor& y) {
  cpu::conv_forward(g, x, w, b, y);
}
void CpuBackend::conv_backward_data(const ConvGeometry& g, const Tensor& w, const Tensor& dy, const Tensor& b, Tensor& dx) {
  cpu::conv_backward_data(g, w, dy, b, dx);
}
void CpuBackend::conv_backward_weight(const ConvGeometry& g, const Tensor& x, const Tensor& dy, Tensor& dw) {
  cpu::conv_backward_weight(g, x, dy, dw);
}

void CpuBackend::nuclear_norm(const NuclearNormSpec& spec, const Tensor& a, Tensor& value, Tensor& subgradient) {
  cpu::nuclear_norm(spec, a, value, subgradient);
}
void CpuBackend::svd(const Tensor& a, Tensor& u, Tensor& s, Tensor& vt) { cpu::svd(a, u, s, vt); }

}  // namespace sagcl::ops::cpu
