#pragma once
#include <cmath>
#include <utility>
#include <vector>

#include "engine/tensor.h"
#include "ops/backend.h"

/// Parameter updates: one pass over memory for each tensor.
namespace sagcl::ops::kernels {

using engine::Tensor;
using engine::visit_float;

/// Kingma & Ba 2015, Algorithm 1; the corrections 1 / (1 - β^t) are folded into `rate` and `root`.
template <class T>
struct AdamElement {
  T *p, *m, *v;
  const T* g;
  T beta1, rest1, beta2, rest2, weight_decay, rate, root, eps;
  SAGCL_BOTH void operator()(std::int64_t i) const {
    const T gradient = g[i] + weight_decay * p[i];
    const T first = beta1 * m[i] + rest1 * gradient, second = beta2 * v[i] + rest2 * gradient * gradient;
    m[i] = first;
    v[i] = second;
    p[i] -= rate * first / (std::sqrt(second) * root + eps);
  }
};

template <class T>
struct SgdElement {
  T *p, *v;
  const T* g;
  T lr, momentum, weight_decay;
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
  T alpha, rest;
  SAGCL_BOTH void operator()(std::int64_t i) const { teacher[i] = alpha * teacher[i] + rest * student[i]; }
};

template <class Launch>
void adam(const AdamStep& step, const std::vector<AdamSlot>& slots) {
  const double rate = step.lr / (1 - std::pow(step.beta1, double(step.t)));
  const double root = 1 / std::sqrt(1 - std::pow(step.beta2, double(step.t)));
  for (AdamSlot slot : slots)
    visit_float(slot.p.dtype(), [&](auto type) {
      using T = typename decltype(type)::type;
      Launch::for_each(slot.p.size(), AdamElement<T>{slot.p.data<T>(), slot.m.data<T>(), slot.v.data<T>(), slot.g.data<T>(),
                                                     T(step.beta1), T(1 - step.beta1), T(step.beta2), T(1 - step.beta2),
                                                     T(step.weight_decay), T(rate), T(root), T(step.eps)});
    });
}

template <class Launch>
void sgd(const SgdStep& step, const std::vector<SgdSlot>& slots) {
  for (SgdSlot slot : slots)
    visit_float(slot.p.dtype(), [&](auto type) {
      using T = typename decltype(type)::type;
      Launch::for_each(slot.p.size(), SgdElement<T>{slot.p.data<T>(), slot.v.data<T>(), slot.g.data<T>(), T(step.lr),
                                                    T(step.momentum), T(step.weight_decay)});
    });
}

template <class Launch>
void average(double alpha, const std::vector<std::pair<Tensor, Tensor>>& teacher_student) {
  for (auto [teacher, student] : teacher_student)
    visit_float(teacher.dtype(), [&, t = teacher, s = student](auto type) mutable {
      using T = typename decltype(type)::type;
      const Tensor& source = s;
      Launch::for_each(t.size(), AverageElement<T>{t.template data<T>(), source.template data<T>(), T(alpha), T(1 - alpha)});
    });
}

}  // namespace sagcl::ops::kernels
