#include "ops/cpu/conv.h"

#include "engine/parallel.h"
#include "ops/kernels/conv_reference.inl"

namespace sagcl::ops::cpu {
namespace {

template <class T>
const T* data_or_null(const Tensor& t) { return t.defined() ? t.data<T>() : nullptr; }

}  // namespace

void conv_forward(const ConvGeometry& g, const Tensor& x, const Tensor& w, const Tensor& b, Tensor& y) {
  engine::visit_float(x.dtype(), [&]<class T>(engine::Type<T>) {
    engine::parallel_for(y.size(), 64, kernels::ConvForward<T>{g, x.data<T>(), w.data<T>(), data_or_null<T>(b), y.data<T>()});
  });
}

void conv_backward_data(const ConvGeometry& g, const Tensor& w, const Tensor& dy, const Tensor& b, Tensor& dx) {
  engine::visit_float(dy.dtype(), [&]<class T>(engine::Type<T>) {
    engine::parallel_for(dx.size(), 64,
                         kernels::ConvBackwardData<T>{g, w.data<T>(), dy.data<T>(), data_or_null<T>(b), dx.data<T>()});
  });
}

void conv_backward_weight(const ConvGeometry& g, const Tensor& x, const Tensor& dy, Tensor& dw) {
  engine::visit_float(x.dtype(), [&]<class T>(engine::Type<T>) {
    engine::parallel_for(dw.size(), 8, kernels::ConvBackwardWeight<T>{g, x.data<T>(), dy.data<T>(), dw.data<T>()});
  });
}

std::string conv_description() { return "by definition"; }

}  // namespace sagcl::ops::cpu
