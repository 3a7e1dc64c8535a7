#pragma once
#include <cmath>
#include <utility>
#include <vector>

#include "engine/tensor.h"
#include "ops/backend.h"
#include "ops/kernels/gate.h"

/// Parameter updates: one pass over memory for each tensor.
namespace sagcl::ops::kernels {

using engine::Tensor;
using engine::visit_float;

/// An update whose numbers lie on the device and are read when it runs.
template <class Element>
struct Update {
  Element element;
  const double *numbers, *gate;  // gate may be null

  Update(const Element& e, const Tensor& n, const Tensor& g) : element(e), numbers(n.data<double>()), gate(gate_of(g)) {}
  /// Reads the numbers; false where nothing is to change.
  SAGCL_BOTH bool load() {
    if (closed(gate)) return false;
    element.load(numbers);
    return true;
  }
  SAGCL_BOTH void operator()(std::int64_t i) const {
    Update now = *this;
    if (now.load()) now.element(i);
  }
};

/// Kingma & Ba 2015, Algorithm 1; the corrections 1 / (1 - β^t) are folded into `rate` and `root`. `keep` is 1, or,
/// with decoupled decay, 1 - lr weight_decay and weight_decay 0.
template <class T>
struct AdamElement {
  T *p, *m, *v;
  const T* g;
  T beta1, rest1, beta2, rest2, weight_decay, eps, rate = 0, root = 0, keep = 1;
  SAGCL_BOTH void load(const double* rates) { rate = T(rates[0]), root = T(rates[1]), keep = T(rates[2]); }
  SAGCL_BOTH void operator()(std::int64_t i) const {
    const T gradient = g[i] + weight_decay * p[i];
    const T first = beta1 * m[i] + rest1 * gradient, second = beta2 * v[i] + rest2 * gradient * gradient;
    m[i] = first;
    v[i] = second;
    p[i] = keep * p[i] - rate * first / (std::sqrt(second) * root + eps);
  }
};

template <class T>
struct SgdElement {
  T *p, *v;
  const T* g;
  T momentum, weight_decay, lr = 0;
  SAGCL_BOTH void load(const double* rate) { lr = T(*rate); }
  SAGCL_BOTH void operator()(std::int64_t i) const {
    const T speed = momentum * v[i] + (g[i] + weight_decay * p[i]);
    v[i] = speed;
    p[i] -= lr * speed;
  }
};

template <class T>
struct AverageElement {
  T* teacher;
  const T* student;
  T alpha = 0, rest = 0;
  SAGCL_BOTH void load(const double* share) { alpha = T(*share), rest = T(1 - *share); }
  SAGCL_BOTH void operator()(std::int64_t i) const { teacher[i] = alpha * teacher[i] + rest * student[i]; }
};

template <class T>
AdamElement<T> adam_element(const AdamSpec& spec) {
  return {nullptr,       nullptr,           nullptr,
          nullptr,       T(spec.beta1),     T(1 - spec.beta1),
          T(spec.beta2), T(1 - spec.beta2), T(spec.decoupled ? 0 : spec.weight_decay),
          T(spec.eps)};
}

template <class Launch>
void adam(const AdamSpec& spec, const Tensor& rates, const Tensor& gate, const std::vector<AdamSlot>& slots) {
  for (AdamSlot slot : slots)
    visit_float(slot.p.dtype(), [&](auto type) {
      using T = typename decltype(type)::type;
      AdamElement<T> element = adam_element<T>(spec);
      element.p = slot.p.data<T>(), element.m = slot.m.data<T>(), element.v = slot.v.data<T>(), element.g = slot.g.data<T>();
      Launch::for_each(slot.p.size(), Update<AdamElement<T>>(element, rates, gate));
    });
}

template <class Launch>
void sgd(const SgdSpec& spec, const Tensor& lr, const Tensor& gate, const std::vector<SgdSlot>& slots) {
  for (SgdSlot slot : slots)
    visit_float(slot.p.dtype(), [&](auto type) {
      using T = typename decltype(type)::type;
      Launch::for_each(slot.p.size(), Update<SgdElement<T>>({slot.p.data<T>(), slot.v.data<T>(), slot.g.data<T>(),
                                                             T(spec.momentum), T(spec.weight_decay)},
                                                            lr, gate));
    });
}

template <class Launch>
void average(const Tensor& alpha, const Tensor& gate, const std::vector<std::pair<Tensor, Tensor>>& teacher_student) {
  for (auto [teacher, student] : teacher_student)
    visit_float(teacher.dtype(), [&, t = teacher, s = student](auto type) mutable {
      using T = typename decltype(type)::type;
      const Tensor& source = s;
      Launch::for_each(t.size(), Update<AverageElement<T>>({t.template data<T>(), source.template data<T>()}, alpha, gate));
    });
}

}  // namespace sagcl::ops::kernels
